"""The page: HTML with its styles and its program inside, so that nothing else is loaded, from here or elsewhere."""

import base64
import hashlib
from html import escape
from importlib import resources
from typing import NamedTuple

STYLES = ("page.css",)
SCRIPTS = (
    "history.js",
    "sheet.js",
    "results.js",
    "drawing.js",
    "page.js",
)  # in the order in which they need one another


class Document(NamedTuple):
    """The page, and the policy that lets a browser run what is inside and nothing more.

    Attributes:
        html: of the page.
        policy: the header ``Content-Security-Policy``.
    """

    html: str
    policy: str


def build_document(title: str) -> Document:
    """Build the page.

    Args:
        title: of the page, any text.
    """
    style, script = ("\n".join(_read(name) for name in names) for names in (STYLES, SCRIPTS))
    html = _read("page.html").replace("{{ title }}", escape(title))
    html = html.replace("{{ style }}", style).replace("{{ script }}", script)
    policy = {
        "default-src": "'none'",
        "style-src": _source(style),
        "script-src": _source(script),
        "img-src": "'self' blob: data:",
        "connect-src": "'self' data:",  # data: for pictures that become files
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return Document(html, "; ".join(f"{name} {sources}" for name, sources in policy.items()))


def _read(name: str) -> str:
    return resources.files("inference.page").joinpath(name).read_text("utf-8")


def _source(text: str) -> str:
    """Name an inline style or script by its hash; a browser hashes what is between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
