"""Keeps other web pages away from a server that may be on the visitor's own machine."""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'",  # the page has one of its own
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Answers only those who mean this server, and adds the headers that keep its answers to them.

    A page of another site may lead its own name to 127.0.0.1 (DNS rebinding), which shows in the header ``Host``; or it
    may send requests here, which shows in ``Origin``. Both get 403.

    Args:
        app: what answers.
        hosts: the names that the server goes by; None if it may go by any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if reason := self.refusal(Headers(scope=scope)):
            await JSONResponse({"error": reason}, 403)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request with these headers is refused; None if it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.hosts is not None and _name(f"//{host}") not in self.hosts:
            return f"this server is not {host or 'nameless'}; open it as one of {', '.join(self.hosts)}"
        if origin is not None and urlsplit(origin).netloc != host:
            return f"requests from pages of {origin} are not answered"
        return None


def names_of(host: str) -> Collection[str] | None:
    """Return the names that a server bound to ``host`` goes by: those of this machine to itself, or None for any."""
    return LOCAL if host in LOCAL else None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # such as half of an IPv6 address
        return None
