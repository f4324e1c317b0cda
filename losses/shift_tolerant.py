"""An L1 loss for pairs that do not lie exactly on each other."""

import torch
from torch import Tensor

from losses.convention import Reduction, check_mask, check_number, check_same_shape, full_precision, ratio, reduce
from losses.regression import RegressionLoss


@full_precision
def shift_tolerant_l1_loss(
    input: Tensor, target: Tensor, *, max_shift: int = 2, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`ShiftTolerantL1Loss`."""
    check_number("max_shift", max_shift, at_least=0)
    check_same_shape(input, target)
    if input.dim() < 3 or max_shift >= min(input.shape[-2:]):
        raise ValueError(
            "input must have the shape N x ... x H x W, both sides larger than max_shift, "
            f"{max_shift}; got {tuple(input.shape)}"
        )
    known = torch.ones_like(target, dtype=torch.bool) if mask is None else check_mask(mask, input)
    assert known is not None
    target = torch.where(known, target, 0)  # which may be NaN elsewhere
    steps = sorted(
        ((down, right) for down in _steps(max_shift) for right in _steps(max_shift)),
        key=lambda step: step[0] ** 2 + step[1] ** 2,  # the first of several that are equally good is the smallest
    )
    with torch.no_grad():
        tried = torch.stack([_error_at(input, target, known, *step) for step in steps])
        best = tried.argmin(0)
    down, right = (torch.tensor(each, device=input.device)[best] for each in zip(*steps, strict=True))
    moved, known = _moved(target, known, down, right)
    error = torch.where(known, (input - moved).abs(), 0).flatten(1).sum(1)
    return reduce(ratio(error, known.flatten(1).sum(1).to(error.dtype), otherwise=0 * error), reduction)


class ShiftTolerantL1Loss(RegressionLoss):
    r"""L1 at the shift of the target that fits best, for pairs that were not aligned exactly.

    .. math:: \min_{|u|, |v| \le s} \mathrm{mean}_{y, x} |\hat y_{y, x} - t_{y + u, x + v}|

    over the pixels that both have, for each picture by itself; after the metric of Märtens et al. (2019) for pictures
    of satellites. Where all pictures are shifted, each its own way, L1 asks for the median over the shifts, which is
    blurred; this asks for one sharp picture. Nothing says where that one lies: a constant shift of the whole output
    costs nothing up to ``max_shift``.

    Args:
        max_shift: s >= 0, the largest shift along each axis, in pixels; (2 s + 1)^2 shifts are tried, without a graph.
            0 gives the mean of :class:`L1Loss` in each picture.
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.

    Example:
        >>> line = torch.tensor([[[[0.0, 1.0, 0.0, 0.0]] * 4]])
        >>> ShiftTolerantL1Loss(max_shift=1)(line, line.roll(1, -1))
        tensor(0.)
        >>> ShiftTolerantL1Loss(max_shift=0)(line, line.roll(1, -1))
        tensor(0.5000)
    """

    likelihood = "laplace"
    function = staticmethod(shift_tolerant_l1_loss)

    def __init__(self, *, max_shift: int = 2, reduction: Reduction = "mean") -> None:
        check_number("max_shift", max_shift, at_least=0)
        super().__init__(max_shift=max_shift, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Args:
            input: pictures, N x ... x H x W, floating point; H and W above ``max_shift``.
            target: truth, same shape as ``input``.
            mask: boolean, True where the truth is known; same shape, or N x 1 x H x W for all channels. It moves with
                the target. A shift after which nothing that is known is left is not taken.

        Returns:
            A scalar >= 0 (N with reduction ``none``) in at least float32; 0 for a picture of which nothing is known.

        Raises:
            TypeError: ``mask`` is not boolean.
            ValueError: shapes differ, or the pictures are too small.
        """
        return super().forward(input, target, mask=mask)


def _steps(max_shift: int) -> range:
    return range(-max_shift, max_shift + 1)


def _error_at(input: Tensor, target: Tensor, known: Tensor, down: int, right: int) -> Tensor:
    """The mean error of each picture, N, at one shift; infinite where nothing is known."""
    height, width = input.shape[-2:]
    here = (..., slice(max(-down, 0), height - max(down, 0)), slice(max(-right, 0), width - max(right, 0)))
    there = (..., slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0)))
    error = torch.where(known[there], (input[here] - target[there]).abs(), 0).flatten(1).sum(1)
    return ratio(error, known[there].flatten(1).sum(1).to(error.dtype), otherwise=float("inf"))


def _moved(picture: Tensor, known: Tensor, down: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Move each picture by its own shift: what was at (y + down, x + right) is at (y, x). What comes in is unknown."""
    for dim, shift in (-2, down), (-1, right):
        size = picture.shape[dim]
        place = torch.arange(size, device=picture.device) + shift[:, None]
        place = place.view([len(place), *(size if each == dim else 1 for each in range(1 - picture.dim(), 0))])
        index = place.clamp(0, size - 1).expand_as(picture)
        picture, known = picture.gather(dim, index), known.gather(dim, index) & (place >= 0) & (place < size)
    return picture, known
