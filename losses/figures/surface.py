"""The surface of a network's loss around its weights, along two random directions (Li et al. 2018)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from losses.convention import at_least_float32, check_number

Direction = dict[str, Tensor]


def filter_normalized_directions(model: nn.Module, generator: torch.Generator) -> tuple[Direction, Direction]:
    r"""Draw two random directions in which every filter is as long as the model's own: :math:`d \|w\| / \|d\|`.

    Networks with ReLU or normalization compute the same with large weights as with small ones, so that only steps
    relative to the weights can be compared. A filter is what one index of a weight's first dimension holds: all that
    leads to one output (of a transposed convolution: all that comes from one input). Parameters with less than two
    dimensions, which are biases and the scales of normalization, do not move.

    Args:
        model: the network; it is only read.
        generator: draws the directions, on the CPU.

    Returns:
        Two directions: the names of the parameters, and tensors of their shapes, devices and dtypes.
    """
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    first, second = (
        {name: _normalized_like(weight, generator) for name, weight in parameters.items()} for _ in range(2)
    )
    return first, second


def loss_surface(
    model: nn.Module, loss: Callable[[nn.Module], Tensor], *, extent: float = 1.0, steps: int = 25, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Measure the loss of a network on a square grid around its weights.

    The model ends as it began: its parameters, its buffers (the statistics of BatchNorm) and its modes, also when the
    loss raises. torch's random numbers go on as if nothing had been drawn, and every point of the grid draws the same
    ones, so that dropout or sampled noise does not make the surface rough.

    Args:
        model: the network, in the mode in which it shall be measured: mostly after ``model.eval()``.
        loss: gives the loss of the network, one number, on data that it knows.
        extent: how far the grid goes to either side; at 1 each filter has moved by its own length.
        steps: points along each side, odd, so that the model itself is the middle one; ``loss`` is called for each of
            the ``steps ** 2`` points.
        seed: draws the directions, which are those of :func:`filter_normalized_directions`.

    Returns:
        The offsets along either direction, of length ``steps``, and the losses, ``steps`` x ``steps``, float64: row for
        the offset along the second direction, column for that along the first. A loss may be infinite or NaN.

    Raises:
        ValueError: nothing in the model can move, the loss is not one number, or an option is outside its range.
    """
    check_number("extent", extent, above=0)
    if steps < 3 or steps % 2 == 0:
        raise ValueError(f"steps must be odd and at least 3, so that the model is in the middle; got {steps}")
    first, second = filter_normalized_directions(model, torch.Generator().manual_seed(seed))
    if not any(direction.any() for direction in first.values()):
        raise ValueError("the model has no weights of two dimensions or more that are not 0: nothing can move")

    offsets = torch.arange(-(steps // 2), steps // 2 + 1, dtype=torch.float64) * (extent / (steps // 2))
    modes = [(module, module.training) for module in model.modules()]
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    devices = {parameter.device for parameter in parameters.values() if parameter.device.type == "cuda"}
    values = torch.empty(steps, steps, dtype=torch.float64)
    with torch.random.fork_rng(devices=list(devices)):
        for row, along_second in enumerate(offsets.tolist()):
            for column, along_first in enumerate(offsets.tolist()):
                moved = {
                    name: weight + along_first * first[name] + along_second * second[name]
                    for name, weight in parameters.items()
                }
                torch.manual_seed(seed)
                try:
                    values[row, column] = _loss_at(model, loss, moved)
                finally:
                    for module, training in modes:
                        module.training = training
    return offsets, values


def _normalized_like(weight: Tensor, generator: torch.Generator) -> Tensor:
    if weight.dim() < 2:
        return torch.zeros_like(weight)
    filters = at_least_float32(weight).flatten(1)
    direction = torch.randn(filters.shape, generator=generator, dtype=filters.dtype).to(filters.device)
    length, drawn = (torch.linalg.vector_norm(vectors, dim=1, keepdim=True) for vectors in (filters, direction))
    return (direction * (length / drawn)).view_as(weight).to(weight.dtype)


class _LossOf(nn.Module):
    """A loss of a network as a module: what :func:`torch.func.functional_call` lends other weights to."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self) -> Tensor:
        return self.loss(self.model)


def _loss_at(model: nn.Module, loss: Callable[[nn.Module], Tensor], parameters: dict[str, Tensor]) -> float:
    """Measure the loss with other parameters, and with buffers that may be written to."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    lent = {f"model.{name}": tensor for name, tensor in (parameters | buffers).items()}
    # The lent parameters need no gradients, so no graph is built; one by the input, as in a gradient penalty, works.
    value = functional_call(_LossOf(model, loss), lent, ())
    if value.numel() != 1:
        raise ValueError(f"loss must give one number; got the shape {tuple(value.shape)}")
    return value.item()
