"""What it means that a loss of ours and one of another library agree: equal values, and equal gradients."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.testing import assert_close

Loss = Callable[..., Tensor]


def trained(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """A random tensor that takes a gradient."""
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


def assert_agree(ours: Loss, theirs: Loss, *inputs: Tensor, rtol: float = 1e-7, atol: float = 1e-9) -> None:
    """Both give the same value for ``inputs``, and the same gradient in those that take one."""
    value, *gradients = _value_and_gradients(ours, inputs)
    expected, *expected_gradients = _value_and_gradients(theirs, inputs)
    assert_close(value, expected, rtol=rtol, atol=atol, check_dtype=False)
    assert len(gradients) == len(expected_gradients) > 0
    for gradient, of_theirs in zip(gradients, expected_gradients, strict=True):
        assert_close(gradient, of_theirs, rtol=rtol, atol=atol)


def _value_and_gradients(loss: Loss, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    inputs = tuple(x.detach().clone().requires_grad_(x.requires_grad) for x in inputs)
    value = loss(*inputs)
    return [value.detach(), *torch.autograd.grad(value.sum(), [x for x in inputs if x.requires_grad])]
