"""A page of a network that inverts, served as users have it: by uvicorn, over HTTP."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from torch import Tensor

from inference import Picture
from inference.page import Card, Drawn, Limits, Service
from inference.page.application import Application
from inference.page.server import Server, open_socket
from inference.page.worker import Worker
from inference.pictures import Array
from tests.inference.test_predictor import Inverter


class HeldInverter(Inverter):
    """Inverts when it may; says when it has begun."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.begun = threading.Event()
        self.may_run = threading.Event()

    def run(self, pictures: Tensor) -> Tensor:
        self.begun.set()
        assert self.may_run.wait(60)
        return super().run(pictures)


class CountingWorker(Worker):
    """Says how many pictures were put into its queue."""

    def __init__(self, predictor: Inverter) -> None:
        super().__init__(predictor)
        self.submitted = threading.Semaphore(0)

    def submit(self, picture: Picture, prepared: Tensor | None) -> Future[Any]:
        result = super().submit(picture, prepared)
        self.submitted.release()
        return result


def draw(picture: Picture, result: Array) -> Drawn:
    def image(array: Array) -> Image.Image:
        return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)

    return Drawn(image(picture.read()), {"output": image(result)})


def inverting(predictor: Inverter, canvas: tuple[int, int] | None = (32, 48), **options: Any) -> Service:
    card = Card(
        "an <inverter>", {"input": "gray or RGB"}, {"model": {"levels": 3}}, canvas, options.pop("samples", None)
    )
    return Service(
        **({"predictor": predictor, "command": "invert", "draw": draw, "has_file": True, "card": card} | options)
    )


@contextmanager
def running(service: Service, limits: Limits = Limits(), worker: Worker | None = None) -> Iterator[str]:  # noqa: B008
    """Serve, and yield the address."""
    with open_socket("127.0.0.1", 0) as listener, worker or Worker(service.predictor) as own:
        server = Server(Application(service, own, limits), "127.0.0.1")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def png(array: Array) -> bytes:
    """Encode H x W x C of 8 bits."""
    file = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(file, "png")
    return file.getvalue()


def pixels(content: bytes) -> Array:
    """Decode a picture to H x W x C."""
    array = np.array(Image.open(io.BytesIO(content)))
    return array if array.ndim == 3 else array[..., None]


def error_of(response: httpx.Response) -> str:
    """Return the message of an answer that is an error, which is JSON and tells nothing of this machine."""
    message: str = response.json()["error"]
    assert "\n" not in message
    assert str(Path.home()) not in message
    assert " at 0x" not in message
    return message
