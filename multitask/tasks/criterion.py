"""The loss that a task is given: what it is made of, and how it was built."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from inference import build
from losses import SumLoss
from losses.convention import IGNORE_INDEX, Loss


def terms_of(loss: Loss) -> list[Loss]:
    """Return the terms of a sum, or the loss itself."""
    if not isinstance(loss, SumLoss):
        return [loss]
    return [part for term in loss.options["terms"].values() for part in terms_of(term)]


def require(loss: object, kinds: type[Loss] | tuple[type[Loss], ...], such_as: str) -> None:
    """Require a loss of some kinds, or a sum of such losses, whose value is one number.

    Args:
        loss: of a task.
        kinds: what it may be.
        such_as: for the message.

    Raises:
        ValueError: names what may be, and what it got.
    """
    if not isinstance(loss, Loss):
        raise ValueError(f"loss must be one of the package losses, such as {such_as}; got {type(loss).__name__}")
    for term in terms_of(loss):
        if not isinstance(term, kinds):
            raise ValueError(f"loss must be {such_as} or alike, or a SumLoss of them; got {type(term).__name__}")
    if loss.reduction == "none":
        raise ValueError("loss must have the reduction mean or sum, not none")


def ignoring(loss: Loss, ignore_index: int, such_as: str) -> Loss:
    """Return a loss that leaves out what its task ignores.

    Args:
        loss: of a task, whose terms all have the option ``ignore_index``.
        ignore_index: the task's.
        such_as: for the message.

    Raises:
        ValueError: a term does not have the option, or another value than the task or torch.
    """
    require(loss, Loss, such_as)
    for term in terms_of(loss):
        own = term.options.get("ignore_index")
        if own is None:
            raise ValueError(f"loss must be {such_as} or alike, which has ignore_index; got {type(term).__name__}")
        if own not in (IGNORE_INDEX, ignore_index):
            raise ValueError(f"ignore_index is the task's, {ignore_index}; got {own} in its loss: leave it out there")
    return loss.with_options(ignore_index=ignore_index)


def as_recipes(value: Any) -> Any:
    """Return options of a task in the form of a configuration, its losses as class_path and init_args."""
    if isinstance(value, Loss):
        path = f"{type(value).__module__}.{type(value).__qualname__}"
        return {"class_path": path, "init_args": as_recipes(value.options)}
    if isinstance(value, Mapping):
        return {name: as_recipes(each) for name, each in value.items()}
    return value.tolist() if isinstance(value, Tensor) else value


def from_recipes(value: Any) -> Any:
    """Return what :func:`as_recipes` was given.

    Raises:
        ValueError: a recipe of something else than a loss.
    """
    if not isinstance(value, Mapping):
        return value
    parts = {name: from_recipes(each) for name, each in value.items()}
    return build(parts, Loss) if "class_path" in parts else parts
