"""The server's answers: the page, results, the card of the model, and how the server is."""

import asyncio
import base64
import io
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from PIL.Image import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from torch import Tensor

from inference.files import Job
from inference.page.document import build_document
from inference.page.guard import Guard, names_of
from inference.page.service import Service
from inference.page.uploads import Limits, TooManyBytesError, open_upload, read_upload
from inference.page.worker import Stopped, Worker
from inference.pictures import DataError, Picture, TooLargeError
from inference.pictures.png import FASTEST

TYPES = {".png": "image/png", ".tif": "image/tiff", ".npy": "application/octet-stream"}
BUSY = {"Retry-After": "1"}


class NoTurnError(Exception):
    """A picture was not begun in time."""


class Application:
    """The endpoints.

    Args:
        service: what is served.
        worker: of its predictor.
        limits: on requests.
    """

    def __init__(self, service: Service, worker: Worker, limits: Limits) -> None:
        self.service = service
        self.worker = worker
        self.limits = limits
        self.document = build_document(service.card.title)
        self.waiting = 0  # requests that have no answer yet

    def build(self, host: str) -> Starlette:
        """Build the ASGI application.

        Args:
            host: that it is bound to.
        """
        command = f"/{self.service.command}"
        routes = [
            Route("/", self.page),
            Route("/card", self.card),
            Route("/health", self.health),
            Route(command, self.run, methods=["POST"]),
        ]
        if self.service.card.samples is not None:
            routes.append(Route("/samples", self.samples))
        paths = ", ".join(route.path for route in routes)

        async def refuse(request: Request, error: Exception) -> Response:
            assert isinstance(error, HTTPException)
            told = {404: f"there is no {request.url.path}; there are {paths}", 405: self._method(request)}
            return _error(error.status_code, told.get(error.status_code, error.detail), error.headers)

        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, hosts=names_of(host))],
            exception_handlers={HTTPException: refuse},
        )

    def _method(self, request: Request) -> str:
        wanted = "POST" if request.url.path == f"/{self.service.command}" else "GET"
        return f"{request.url.path} takes {wanted}; got {request.method}"

    # --- what is there to see

    async def page(self, request: Request) -> Response:
        """Return the page."""
        return HTMLResponse(self.document.html, headers={"Content-Security-Policy": self.document.policy})

    async def card(self, request: Request) -> Response:
        """Return the card of the model, and what the page has to know."""
        service = self.service
        return JSONResponse(
            {
                **service.card.as_json(),
                "command": service.command,
                "has_file": service.has_file,
                "legends": {name: dict(legend) for name, legend in service.legends.items()},
            }
        )

    async def samples(self, request: Request) -> Response:
        """Return the picture of samples."""
        assert self.service.card.samples is not None, "there is a route to it"
        return FileResponse(self.service.card.samples, media_type=TYPES[".png"])

    async def health(self, request: Request) -> Response:
        """Return how the server is."""
        return JSONResponse(
            {
                "status": "ok",
                "model": self.service.card.title,
                "device": str(self.service.predictor.device),
                "waiting": self.waiting,
                "done": self.worker.done,
            }
        )

    # --- results

    async def run(self, request: Request) -> Response:
        """Return the result for the picture in the body: a file, or drawn pictures if JSON is accepted."""
        if self.waiting >= self.limits.requests:
            return _error(503, f"{self.waiting} pictures wait already; try again later", BUSY)
        if request.headers.get("content-type", "").startswith("multipart/"):
            return _error(415, "send the picture's file itself as the body: curl --data-binary @FILE, and no form")
        self.waiting += 1
        try:
            return await self._answer(request)
        except (TooManyBytesError, TooLargeError) as error:
            return _error(413, str(error))
        except DataError as error:
            return _error(400, str(error))
        except NoTurnError:
            return _error(503, f"the picture had no turn within {self.limits.seconds:g} s; try again later", BUSY)
        except Stopped as error:
            return _error(503, str(error))
        except ClientDisconnect:
            return Response()  # which nobody reads
        except Exception as error:
            print(f"failed: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
            return _error(500, "the model failed on this picture; the server's terminal says why")
        finally:
            self.waiting -= 1

    async def _answer(self, request: Request) -> Response:
        declared, limit = request.headers.get("content-length"), self.limits
        try:
            async with asyncio.timeout(limit.seconds):
                body = await read_upload(declared, request.stream(), limit.bytes)
        except TimeoutError:
            return _error(408, f"the picture did not arrive within {limit.seconds:g} s")
        picture, prepared = await asyncio.to_thread(self._open, body)
        result = await self._result(request, self.worker.submit(picture, prepared))
        wants_json = not self.service.has_file or "application/json" in request.headers.get("accept", "")
        return await asyncio.to_thread(self._drawn if wants_json else self._file, picture, result)

    def _open(self, body: bytes) -> tuple[Picture, Tensor | None]:
        predictor = self.service.predictor
        picture = open_upload(body, predictor.axes, self.limits)
        return picture, None if predictor.is_large(picture) else predictor.prepare(picture)

    async def _result(self, request: Request, waiting: Future[Any]) -> Any:
        """Wait for a result; a picture that nobody waits for any longer leaves the queue.

        Raises:
            NoTurnError: it was not begun in time.
            Stopped: the server stops.
            ClientDisconnect: the client went away.
        """
        result, gone = asyncio.wrap_future(waiting), asyncio.ensure_future(_disconnect(request))
        try:
            done, _ = await asyncio.wait((result, gone), timeout=self.limits.seconds, return_when="FIRST_COMPLETED")
            if not done and not waiting.cancel():  # it was begun, and so will be finished
                done, _ = await asyncio.wait((result, gone), return_when="FIRST_COMPLETED")
            if waiting.cancelled():
                raise Stopped("the server is stopping") if done else NoTurnError
            if gone in done:
                raise ClientDisconnect
            return result.result()
        finally:
            gone.cancel()
            result.cancel()

    def _file(self, picture: Picture, result: Any) -> Response:
        """Return the very file that the application's command writes for a PNG."""
        predictor = self.service.predictor
        with tempfile.TemporaryDirectory() as folder:
            job = Job(Path("picture.png"), Path(folder, "result"))
            predictor.write(job, picture, result)
            (file,) = predictor.targets(job, picture)
            headers = {"Content-Disposition": f'inline; filename="output{file.suffix}"'}
            return Response(file.read_bytes(), media_type=TYPES[file.suffix], headers=headers)

    def _drawn(self, picture: Picture, result: Any) -> Response:
        drawn = self.service.draw(picture, result)
        pictures = {name: _data_uri(each) for name, each in drawn.pictures.items()}
        size = {"width": picture.width, "height": picture.height}
        return JSONResponse({**size, "input": _data_uri(drawn.input), "pictures": pictures})


async def _disconnect(request: Request) -> None:
    """Wait until the client is gone; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers)


def _data_uri(image: Image) -> str:
    """Encode a picture as a PNG inside of a URI."""
    file = io.BytesIO()
    image.save(file, "png", compress_level=FASTEST)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
