"""``pix2pix translate``: pictures and folders of them, with a trained model."""

from typing import Any

from pix2pix.translator import Translator


def translate(checkpoint: str, inputs: list[str], out: str, *, overwrite: bool = False, **options: Any) -> None:
    """Translate pictures and folders of pictures with a trained model.

    The checkpoint knows the channels, the values, the depth and the mode that it was trained for. Pictures of any size
    and kind are translated at their own size, large ones in tiles. Folders are searched recursively. Inputs are never
    overwritten. If a picture cannot be translated, the others still are; it is named at the end.

    Args:
        checkpoint: of a run, such as runs/NAME/TIME/checkpoints/best.ckpt.
        inputs: pictures, or folders of them.
        out: the folder to write to or, for a single picture, the file, whose ending chooses the format.
        overwrite: replace results that exist.
        **options: of :class:`Translator`, but for its model.

    Raises:
        DataError: an input is not there; or pictures could not be translated.
        ValueError: the checkpoint cannot be read, or an option is outside its range.
    """
    translator = Translator(checkpoint, **options)
    for line in translator.describe():
        print(line)
    translator.predict_files(inputs, out, overwrite=overwrite).tell("translated")
