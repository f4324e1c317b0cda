"""What happens around the backward pass and the step of an optimizer."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_
from torch.optim import Optimizer


def before_step(optimizer: Optimizer, scaler: torch.amp.GradScaler | None, clip_norm: float | None) -> Tensor:
    """Clip the gradients of an optimizer, and let it skip its step if they are not finite, without waiting for that.

    Args:
        optimizer: a fused one, which can skip a step by itself.
        scaler: of the losses, which it then has unscaled; None without one.
        clip_norm: the largest norm of all gradients together; None leaves them as they are.

    Returns:
        Whether the step will be skipped: a boolean scalar.
    """
    if scaler is not None:
        scaler.unscale_(optimizer)
    parameters = [each for group in optimizer.param_groups for each in group["params"] if each.grad is not None]
    norm = total_norm([each.grad for each in parameters])
    if clip_norm is not None:
        clip_grads_with_norm_(parameters, clip_norm, norm)
    skipped = ~norm.isfinite()
    if scaler is None:  # a scaler tells the optimizer by itself
        optimizer.found_inf = skipped.float()  # type: ignore[attr-defined]
    return skipped


def total_norm(gradients: list[Tensor]) -> Tensor:
    """Return the Euclidean norm of gradients on one device, all of them together; of none it is 0.

    That of torch's ``get_total_norm``, which groups them by device and dtype first: in the step of a small network this
    takes longer than the norms.
    """
    norms = torch._foreach_norm(gradients) if gradients else (torch.zeros(()),)
    return torch.linalg.vector_norm(torch.stack(norms))


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let no weight of a network take gradients meanwhile."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
