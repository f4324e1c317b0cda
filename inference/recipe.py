"""Recipes: how an object was built, in the form of a configuration, so that a checkpoint can rebuild it."""

import copy
import functools
import inspect
import pkgutil
from abc import ABC
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from torch import Tensor, nn

Recipe = dict[str, Any]  # class_path and init_args
Built = TypeVar("Built")

MOVED = {  # modules that checkpoints written before 0.2.0 name, and where their classes are now
    "losses.aggregated": "losses",
    "losses.gradnorm": "losses",
    "losses.uncertainty": "losses",
    "losses.weighting": "losses",
}


class Network(nn.Module, ABC):
    """A network that remembers the arguments it was built with, so that a checkpoint can rebuild it.

    A subclass needs to do nothing for that.
    """

    _arguments: dict[str, Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _remembering(cls.__init__)  # type: ignore[method-assign]

    def recipe(self) -> Recipe:
        """Return how to build this network, without its weights."""
        cls = type(self)
        return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": as_recipes(self._arguments)}

    @classmethod
    def from_pretrained(cls, name: str | Path, revision: str | None = None) -> Self:
        """Rebuild a network that ``export --format hub`` wrote, with its weights, in evaluation mode.

        It needs the extra ``hub``.

        Args:
            name: the folder, or where there is none of this name the repository ``OWNER/NAME`` on the Hugging Face hub.
            revision: of the repository: a branch, a tag or a commit.

        Raises:
            ValueError: there is no such folder or repository, or what is there is not of this class.
        """
        from inference.export.hub import read_folder  # here, as it imports this file

        network = read_folder(name, cls, revision)
        assert isinstance(network, cls)
        return network


def _remembering(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def remember(self: Network, *args: Any, **options: Any) -> None:
        if "_arguments" not in vars(self):  # only in the outermost __init__
            arguments = signature.bind(self, *args, **options)
            arguments.apply_defaults()
            _, *names = signature.parameters
            vars(self)["_arguments"] = {name: arguments.arguments[name] for name in names}
        init(self, *args, **options)

    return remember


def as_recipes(value: Any) -> Any:
    """Return arguments in the form of a configuration: what has a recipe, such as a loss, as that, tensors as lists."""
    if hasattr(value, "recipe"):
        return as_recipes(value.recipe())
    if isinstance(value, Mapping):
        return {name: as_recipes(each) for name, each in value.items()}
    return value.tolist() if isinstance(value, Tensor) else copy.deepcopy(value)


def from_recipes(value: Any, base: type) -> Any:
    """Return what :func:`as_recipes` was given, of which all that has a recipe is a ``base``.

    Raises:
        ValueError: a recipe of something else.
    """
    if not isinstance(value, Mapping):
        return value
    parts = {name: from_recipes(each, base) for name, each in value.items()}
    return build(parts, base) if "class_path" in parts else parts


def recipe_of(factory: Callable[..., Any], base: type) -> Recipe:
    """Return the recipe of a class that has not been built yet.

    Args:
        factory: a subclass of ``base``, or a ``functools.partial`` of one with its options.
        base: what the class must be.

    Raises:
        ValueError: it is neither.
    """
    parts = (factory.func, *factory.args) if isinstance(factory, functools.partial) else (factory,)
    cls = next((part for part in parts if isinstance(part, type) and issubclass(part, base)), None)
    if cls is None:
        raise ValueError(f"expected a subclass of {base.__name__}, or a functools.partial of one; got {factory!r}")
    options = factory.keywords if isinstance(factory, functools.partial) else {}
    return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": dict(options)}


def build(recipe: Mapping[str, Any], base: type[Built]) -> Built:
    """Build what a recipe describes.

    Args:
        recipe: class_path and, unless there are none, init_args.
        base: what the class must be a subclass of; nothing else is built.

    Raises:
        ValueError: there is no such class, or it is not a subclass of ``base``.
    """
    return factory(recipe, base)()


def factory(recipe: Mapping[str, Any], base: type[Built]) -> Callable[..., Built]:
    """Return what builds the class of a recipe with its options, and takes more arguments; see :func:`build`."""
    path = current_path(recipe["class_path"])
    try:
        cls = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} cannot be imported ({error}); start the command where its module is") from None
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise ValueError(f"{path} is not a subclass of {base.__name__}, as it must be")
    return functools.partial(cls, **recipe.get("init_args", {}))


def current_path(class_path: str) -> str:
    """Return the current path of a class that a recipe may name by an old one."""
    module, _, name = class_path.rpartition(".")
    return f"{MOVED.get(module, module)}.{name}"


def with_current_paths(value: Any) -> Any:
    """Return nested dictionaries and lists with every ``class_path`` in them brought up to date."""
    if isinstance(value, Mapping):
        return {k: current_path(v) if k == "class_path" else with_current_paths(v) for k, v in value.items()}
    return [with_current_paths(each) for each in value] if isinstance(value, list) else value
