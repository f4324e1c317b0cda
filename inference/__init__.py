"""What using a trained network needs: pictures, checkpoints, and the recipes that rebuild networks from them."""

from importlib.metadata import version

from inference.checkpoints import damage_named, read_checkpoint, run_of
from inference.modes import PRESETS, InferenceMode, NormMode, Preset, as_mode, in_mode, recalibrate, run
from inference.pictures import DataError, Picture, TooLargeError, list_pictures, open_picture, write_picture
from inference.recipe import Network, Recipe, as_recipes, build, factory, from_recipes, recipe_of

__version__ = version("pix2pix-multitask")

__all__ = [
    "PRESETS",
    "DataError",
    "InferenceMode",
    "Network",
    "NormMode",
    "Picture",
    "Preset",
    "Recipe",
    "TooLargeError",
    "as_mode",
    "as_recipes",
    "build",
    "damage_named",
    "factory",
    "from_recipes",
    "in_mode",
    "list_pictures",
    "open_picture",
    "read_checkpoint",
    "recalibrate",
    "recipe_of",
    "run",
    "run_of",
    "write_picture",
]
