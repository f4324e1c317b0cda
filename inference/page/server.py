"""Serve a predictor over HTTP until somebody stops it."""

import socket

import uvicorn

from inference.page.application import Application
from inference.page.service import Service
from inference.page.uploads import Limits
from inference.page.worker import Worker


def serve_page(service: Service, host: str, port: int, limits: Limits) -> None:
    """Serve a page, until Ctrl-C.

    Args:
        service: what is served.
        host: the address to listen at; 127.0.0.1 is for this machine alone.
        port: to listen at, 0 to 65535; 0 takes any that is free.
        limits: on requests.

    Raises:
        ValueError: the port is in use, or the address is not one of this machine.
        KeyboardInterrupt: Ctrl-C, after the answers that were begun.
    """
    with open_socket(host, port) as listener, Worker(service.predictor) as worker:
        server = Server(Application(service, worker, limits), host)
        print(f"http://{_in_url(host)}:{listener.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        server.run(sockets=[listener])


class Server(uvicorn.Server):
    """A server of the page, which says nothing but what is wrong.

    Args:
        application: the endpoints.
        host: that it is bound to.
    """

    def __init__(self, application: Application, host: str) -> None:
        quiet = uvicorn.Config(
            application.build(host),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        super().__init__(quiet)
        self._worker = application.worker

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those who wait, so that nothing keeps the server from ending."""
        self._worker.stop()
        await super().shutdown(sockets)


def open_socket(host: str, port: int) -> socket.socket:
    """Open a socket that listens.

    Args:
        host: an address of this machine, or its name.
        port: 0 to 65535; 0 takes any that is free.

    Raises:
        ValueError: it cannot; the line says why.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be from 0 to 65535; got {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror or error).partition(" (")[0].lower()  # asyncio and others add the address
        raise ValueError(f"cannot listen at {host}, port {port} ({reason}); set another --port or --host") from None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
