"""A page to use a predictor on: draw or drop a picture, and see the result; over HTTP, for programs too."""

try:
    from inference.page.card import Card
    from inference.page.server import serve_page
    from inference.page.service import Drawn, Service
    from inference.page.uploads import Limits
except ModuleNotFoundError as error:
    if error.name not in ("starlette", "uvicorn"):
        raise
    message = f"the page needs the package {error.name}: pip install 'pix2pix-multitask[serve]'"
    raise ModuleNotFoundError(message, name=error.name) from None

__all__ = ["Card", "Drawn", "Limits", "Service", "serve_page"]
