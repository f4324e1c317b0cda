"""What using a trained network needs: pictures, checkpoints, and the recipes that rebuild networks from them."""

from importlib.metadata import version

from inference.checkpoints import read_checkpoint, run_of
from inference.pictures import DataError, list_pictures, read_picture, read_upright
from inference.recipe import Network, Recipe, build, factory, recipe_of

__version__ = version("pix2pix-multitask")

__all__ = [
    "DataError",
    "Network",
    "Recipe",
    "build",
    "factory",
    "list_pictures",
    "read_checkpoint",
    "read_picture",
    "read_upright",
    "recipe_of",
    "run_of",
]
