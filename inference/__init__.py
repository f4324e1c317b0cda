"""What using a trained network needs: pictures, checkpoints, and the recipes that rebuild networks from them."""

from importlib.metadata import version

from inference.checkpoints import read_checkpoint, run_of
from inference.pictures import DataError, Picture, list_pictures, open_picture, write_picture
from inference.recipe import Network, Recipe, build, factory, recipe_of

__version__ = version("pix2pix-multitask")

__all__ = [
    "DataError",
    "Network",
    "Picture",
    "Recipe",
    "build",
    "factory",
    "list_pictures",
    "open_picture",
    "read_checkpoint",
    "recipe_of",
    "run_of",
    "write_picture",
]
