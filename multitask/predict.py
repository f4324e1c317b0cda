"""``multitask predict``: all tasks for pictures and folders of them, with a trained model."""

from typing import Any

from multitask.predictor import Predictor


def predict(checkpoint: str, inputs: list[str], out: str, *, overwrite: bool = False, **options: Any) -> None:
    """Predict all tasks for pictures and folders of them with a trained model.

    The checkpoint knows the tasks and all that they need. Pictures of any size and kind are predicted at their own
    size; folders with all that is below them. What is written is told at the start; beside a folder ``image`` of the
    pictures it is a data set of ``Folders``. Nothing is written over an input. A picture that cannot be predicted is
    named at the end, and the others are.

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
