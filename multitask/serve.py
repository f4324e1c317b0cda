"""``multitask serve``: a page that shows all tasks of a picture, and the same over HTTP."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from inference import Picture
from inference.page import Card, Drawn, Limits, Service, serve_page
from inference.page.card import file_facts, last_samples, network_facts, run_configuration, title_of
from inference.pictures import to_picture
from multitask.predictor import Predictor


def serve(
    checkpoint: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    **options: Any,
) -> None:
    """Serve a page that shows all tasks of a picture beside each other, and the same over HTTP.

    On the page a picture is dropped, pasted or chosen. POST /predict takes a picture's file and returns JSON: by the
    name of each task what it predicts, drawn as a PNG in a data URI. GET /card says what the model is, GET /health how
    the server is. Pictures that wait are predicted together. For numbers in files there is `predict`.

    Args:
        checkpoint: of a run, such as runs/NAME/TIME/checkpoints/best.ckpt.
        host: the address to listen at; 127.0.0.1 is for this machine alone, 0.0.0.0 for all that reach it.
        port: to listen at; 0 takes any that is free.
        limits: what the server takes on.
        **options: of :class:`Predictor`, but for its model.

    Raises:
        ValueError: the checkpoint cannot be read, an option is outside its range, or the port is in use.
    """
    predictor = Predictor(checkpoint, **options)
    serve_page(service_of(predictor, Path(checkpoint)), host, port, limits)


def service_of(predictor: Predictor, checkpoint: Path) -> Service:
    """Describe a predictor for the page.

    Args:
        predictor: of several tasks.
        checkpoint: that it was made of.
    """
    legends = {
        name: {meaning: _hexadecimal(color) for meaning, color in task.legend().items()}
        for name, task in predictor.tasks.items()
    }
    return Service(predictor, "predict", partial(draw, predictor), False, card_of(predictor, checkpoint), legends)


def draw(predictor: Predictor, picture: Picture, result: Mapping[str, Any]) -> Drawn:
    """Draw a picture as the encoder sees it, and what each task says of it."""
    image = predictor.prepare(picture)[None]
    drawn = {
        name: task.draw(values[None] if isinstance(values := result[name], Tensor) else [values], image)
        for name, task in predictor.tasks.items()
    }
    return Drawn(to_picture(image[0]), {name: to_picture(pictures[0]) for name, pictures in drawn.items()})


def card_of(predictor: Predictor, checkpoint: Path) -> Card:
    """Gather what there is to know of a model."""
    model = predictor.model
    facts = {
        "input": "RGB, of any depth; gray and transparency are converted",
        **{f"task {name}": f"{type(task).__name__} of {task.target}" for name, task in predictor.tasks.items()},
        "size": "any" if model.resize is None else f"resized to {model.resize[1]} x {model.resize[0]}",
        "encoder": type(model.encoder).__name__,
        **network_facts(model.encoder, model.neck, model.attention, model.heads),
        "device": f"{predictor.device}, precision {predictor.precision}",
        **file_facts(checkpoint),
    }
    return Card(
        title_of(checkpoint), facts, run_configuration(checkpoint), canvas=None, samples=last_samples(checkpoint)
    )


def _hexadecimal(color: Tensor) -> str:
    """Return red, green and blue in [0, 1] as #rrggbb."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in color.tolist())
