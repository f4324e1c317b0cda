"""A term of G's loss for pairs that do not lie exactly on each other: align first, then compare."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losses import l1_loss
from losses.convention import Loss, Reduction, check_number, check_same_shape, full_precision, reduce

DRIFT = 1e-3  # enough to tell apart fields that align equally well


class RegistrationLoss(Loss):
    r"""L1 after a small network has aligned G's output with the target (RegGAN, Kong et al. 2021).

    .. math:: \mathrm{mean} |G(x) \circ (\mathrm{id} + \phi) - y|
              + s \, \mathrm{mean} (\lVert \nabla \phi \rVert^2 + 10^{-3} \lVert \phi \rVert^2), \quad \phi = R(G(x), y)

    R sees output and target, and predicts for each pixel where in the output to look, in pixels. It learns together
    with G, by the same loss and with G's optimizer; its weights are in the checkpoint of the training, and nobody needs
    them afterwards. Shifts, small turns and bends between the pictures of a pair, which differ from pair to pair, then
    cost next to nothing, so that G need not blur what it cannot foresee. The last term, which the paper does not have,
    keeps G's pictures in the middle of the shifts: else nothing said where they lie.

    Args:
        channels: of the target.
        base_channels: channels of R's first convolution.
        max_shift: the largest shift along each axis that R can predict, > 0, in pixels.
        smoothness: s >= 0; the paper's is half the weight of its L1. Where it is small, R may bend the output into the
            target's shape, and G need not learn that.
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.
    """

    likelihood = "laplace"
    channels: int
    max_shift: float
    smoothness: float

    def __init__(
        self,
        channels: int = 3,
        *,
        base_channels: int = 16,
        max_shift: float = 8.0,
        smoothness: float = 0.5,
        reduction: Reduction = "mean",
    ) -> None:
        check_number("max_shift", max_shift, above=0)
        check_number("smoothness", smoothness, at_least=0)
        super().__init__(
            channels=channels,
            base_channels=base_channels,
            max_shift=max_shift,
            smoothness=smoothness,
            reduction=reduction,
        )
        widths = [2 * channels, base_channels, 2 * base_channels, 4 * base_channels]
        self.network = nn.Sequential()
        for before, width in pairwise(widths):
            self.network.extend([nn.Conv2d(before, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)])
        self.network.extend([nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2)])
        last = nn.Conv2d(width, 2, 3, padding=1)
        nn.init.zeros_(last.weight)  # no shift at first
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]  # it has one
        self.network.append(last)

    @full_precision
    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Args:
            input: G's output, N x C x H x W in [-1, 1].
            target: truth, same shape.
            mask: boolean, True where the truth is known; same shape, or N x 1 x H x W for all channels.

        Returns:
            A scalar >= 0 (N with reduction ``none``) in at least float32.

        Raises:
            ValueError: shapes differ, or the pictures have other than ``channels`` channels.
        """
        check_same_shape(input, target)
        if input.dim() != 4 or input.shape[1] != self.channels:
            raise ValueError(f"input must have the shape N x {self.channels} x H x W; got {tuple(input.shape)}")
        known = torch.ones_like(target[:, :1], dtype=torch.bool) if mask is None else mask
        target = torch.where(known, target, 0)  # which may be NaN elsewhere
        field = self.field(input, target)
        error = l1_loss(warp(input, field), target, mask=known, reduction="none").flatten(1).sum(1)
        count = known.expand_as(target).flatten(1).sum(1).clamp_min(1)
        return reduce(error / count + self.smoothness * (roughness(field) + DRIFT * length(field)), self.reduction)

    def field(self, input: Tensor, target: Tensor) -> Tensor:
        """Predict the shifts that align ``input`` with ``target``, N x 2 x H x W: columns, then rows, in pixels."""
        coarse: Tensor = self.network(torch.cat([input, target], 1))
        return F.interpolate(self.max_shift * coarse.tanh(), input.shape[-2:], mode="bilinear", align_corners=False)


def warp(picture: Tensor, field: Tensor) -> Tensor:
    """Return a picture that has at each pixel what ``picture`` has beside it; borders are repeated.

    Args:
        picture: N x C x H x W.
        field: where to look, N x 2 x H x W: how many columns to the right, and rows down, in pixels; between pixels the
            value is interpolated linearly.
    """
    height, width = picture.shape[-2:]
    columns = torch.arange(width, device=picture.device) + field[:, 0]
    rows = torch.arange(height, device=picture.device)[:, None] + field[:, 1]
    # grid_sample counts from -1 to 1, from the left border of the first pixel to the right border of the last.
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)


def roughness(field: Tensor) -> Tensor:
    """Return the mean squared change of a field N x 2 x H x W from pixel to pixel, along both axes, for each: N."""
    down, right = (field.diff(dim=dim).square().flatten(1) for dim in (-2, -1))
    return down.sum(1) / max(down.shape[1], 1) + right.sum(1) / max(right.shape[1], 1)  # one row has no change: 0


def length(field: Tensor) -> Tensor:
    """Return the mean squared length of the shifts of a field N x 2 x H x W, for each: N."""
    return field.square().sum(1).flatten(1).mean(1)
