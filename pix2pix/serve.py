"""``pix2pix serve``: a page to draw on, and the same over HTTP."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image

from inference import Picture
from inference.page import Card, Drawn, Limits, Service, serve_page
from inference.page.card import file_facts, last_samples, network_facts, run_configuration, title_of
from inference.pictures import Array, PictureFormat, as_rgb, paint, to_picture
from inference.sizes import Size, height_width
from pix2pix.data.formats import PairFormats
from pix2pix.translator import Translator

DEFAULT_CANVAS = (256, 256)  # where the size of the training is not known


def serve(
    checkpoint: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    **options: Any,
) -> None:
    """Serve a page to draw pictures on and translate them with a trained model, and the same over HTTP.

    On the page, draw, drop, paste or choose a picture; it is translated as it changes. POST /translate takes the file
    of a picture and returns its translation: PNG, or TIFF if PNG cannot hold it, the same file that `translate`
    writes. GET /card describes the model, GET /health the server. Waiting pictures are translated together.

    Args:
        checkpoint: of a run, such as runs/NAME/TIME/checkpoints/best.ckpt.
        host: the address to listen on; 127.0.0.1 is for this machine alone, 0.0.0.0 for everyone who can reach it.
        port: to listen on; 0 takes any free one.
        limits: of uploads and requests.
        **options: of :class:`Translator`, but for its model.

    Raises:
        ValueError: the checkpoint cannot be read, an option is outside its range, or the port is in use.
    """
    translator = Translator(checkpoint, samples=1, **options)
    for line in translator.describe():
        print(line)
    serve_page(service_of(translator, Path(checkpoint)), host, port, limits)


def service_of(translator: Translator, checkpoint: Path) -> Service:
    """Describe a translator for the page.

    Args:
        translator: of one translation for each picture.
        checkpoint: that it was made of.

    Raises:
        ValueError: it translates stacks of slices.
    """
    if translator.formats.neighbors is not None:
        raise ValueError(f"{checkpoint}: this model translates stacks of slices, which no page shows; take translate")
    if translator.mode.norm == "batch":
        translator.batch_size = 1  # what one client gets must not depend on the pictures of others
    return Service(translator, "translate", partial(draw, translator.formats), True, card_of(translator, checkpoint))


def draw(formats: PairFormats, picture: Picture, result: Array) -> Drawn:
    """Draw an input as the generator sees it, and its translation."""
    output = _for_display(Picture.of(result), formats.target)
    return Drawn(_for_display(picture, formats.input), {"output": output})


def _for_display(picture: Picture, format: PictureFormat) -> Image:
    """Draw a picture: classes in the colors of a palette, unknown pixels black."""
    values = format.read(picture)
    if format.labels is not None:
        return to_picture(paint(values.long(), format.labels)[0])
    unit = values / 255 if values.dtype == torch.uint8 else values
    return to_picture(as_rgb(unit.nan_to_num(0)))


def card_of(translator: Translator, checkpoint: Path) -> Card:
    """Gather what there is to know of a model."""
    generator, formats, mode = translator.generator, translator.formats, translator.mode
    configuration = run_configuration(checkpoint)
    facts = {
        "input": formats.input.describe() + (f": {' and '.join(formats.stack)} in one file" if formats.stack else ""),
        "output": formats.target.describe(),
        "size": "any" if translator.size is None else f"resized to {translator.size[1]} x {translator.size[0]}",
        "generator": type(generator).__name__,
        **network_facts(generator),
        "inference": f"batch norm {mode.norm}, dropout {'on' if mode.dropout else 'off'}",
        "device": f"{translator.device}, precision {translator.precision}",
        **file_facts(checkpoint),
    }
    trained = _size_of_training(configuration)
    if trained:
        facts["size"] += f"; trained on {trained[1]} x {trained[0]}"
    drawable = formats.input.labels is None and formats.input.window is None and formats.input.channels in (1, 3, 4)
    canvas = (trained or DEFAULT_CANVAS) if drawable else None
    return Card(title_of(checkpoint), facts, configuration, canvas, last_samples(checkpoint))


def _size_of_training(configuration: Mapping[str, Any] | None) -> Size | None:
    """Return height and width of the pictures that a model was trained on; None if they are not known."""
    data = (configuration or {}).get("data") or {}
    return height_width("crop_size", data.get("init_args", data).get("crop_size"))
