"""The loss that a task is given, and what it is made of."""

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
    """Return a loss that leaves out what its task ignores, and does not look at targets, which were checked.

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
    return loss.with_options(ignore_index=ignore_index, validate=False)
