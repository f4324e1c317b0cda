"""``multitask predict``: all tasks for pictures and folders of them, with a trained model."""

from typing import Any

from multitask.predictor import Predictor


def predict(checkpoint: str, inputs: list[str], out: str, *, overwrite: bool = False, **options: Any) -> None:
    """Predict all tasks for pictures and folders of pictures with a trained model.

    The checkpoint knows the tasks and everything they need. Pictures of any size and kind are predicted at their own
    size. Folders are searched recursively. What will be written is printed at the start; together with a folder
    ``image`` of the pictures it is a data set for ``Folders``. Inputs are never overwritten. If a picture cannot be
    predicted, the others still are; it is named at the end.

    Args:
        checkpoint: of a run, such as runs/NAME/TIME/checkpoints/best.ckpt.
        inputs: pictures, or folders of them.
        out: the folder to write to.
        overwrite: replace results that exist.
        **options: of :class:`Predictor`, but for its model.

    Raises:
        DataError: an input is not there, or results exist; or pictures could not be predicted.
        ValueError: the checkpoint cannot be read, or an option is outside its range.
    """
    predictor = Predictor(checkpoint, **options)
    for line in predictor.describe():
        print(line)
    predictor.predict_files(inputs, out, overwrite=overwrite).tell("predicted")
