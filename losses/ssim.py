"""Structural similarity of pictures, as a loss, at one scale and at several."""

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import (
    Loss,
    Reduction,
    check_input_range,
    check_number,
    check_same_shape,
    full_precision,
    power,
    reduce,
)

WINDOW = 11  # these four as in Wang's code
SIGMA = 1.5
K1, K2 = 0.01, 0.03
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@full_precision
def ssim_loss(
    input: Tensor,
    target: Tensor,
    *,
    input_range: tuple[float, float] = (-1.0, 1.0),
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`SSIMLoss`."""
    x, y = _in_unit_range(input, target, input_range, scales=1)
    luminance, structure = _distances(x, y)
    return reduce((luminance + structure - luminance * structure).mean((1, 2, 3)), reduction)


@full_precision
def ms_ssim_loss(
    input: Tensor,
    target: Tensor,
    *,
    scale_weights: Sequence[float] = SCALE_WEIGHTS,
    input_range: tuple[float, float] = (-1.0, 1.0),
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`MSSSIMLoss`."""
    _check_scale_weights(scale_weights)
    x, y = _in_unit_range(input, target, input_range, scales=len(scale_weights))
    similarity = x.new_ones(len(x))
    for weight in scale_weights[:-1]:
        _, structure = _distances(x, y)
        similarity = similarity * power((1 - structure).mean((1, 2, 3)), weight)
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    luminance, structure = _distances(x, y)
    similarity = similarity * power(((1 - luminance) * (1 - structure)).mean((1, 2, 3)), scale_weights[-1])
    return reduce(1 - similarity, reduction)


class SimilarityLoss(Loss):
    """Base of the losses of structural similarity, which differ in their function and its options."""

    input_range: tuple[float, float]

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two batches of pictures.

        Args:
            input: pictures, N x C x H x W, floating point, in ``input_range``; each channel is compared by itself.
            target: true pictures, same shape.

        Returns:
            A scalar (N with reduction ``none``) in at least float32, 0 for equal pictures. No pictures give 0.

        Raises:
            ValueError: shapes differ, or the pictures are too small for the windows.
        """
        return self.function(input, target, **self.options)


class SSIMLoss(SimilarityLoss):
    r"""One minus the structural similarity of two pictures (Wang et al. 2004).

    In a Gaussian window of 11 x 11 pixels with standard deviation 1.5, and with pictures in [0, 1],

    .. math::

        \mathrm{SSIM} = \frac{2\mu_x\mu_y + c_1}{\mu_x^2 + \mu_y^2 + c_1} \cdot
        \frac{2\sigma_{xy} + c_2}{\sigma_x^2 + \sigma_y^2 + c_2}, \quad c_1 = 0.01^2, \; c_2 = 0.03^2.

    The mean is over the windows that lie inside the picture, as in Wang's code: there is no padding, and the pixels at
    the border count in fewer windows. It sees contrast and structure, and colors hardly: add it to
    :class:`L1Loss`, as with :class:`SumLoss` (Zhao et al. 2017).

    Args:
        input_range: black and white in the pictures: (-1, 1) as in pix2pix, (0, 1) or (0, 255).
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.

    Example:
        >>> black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
        >>> loss = SSIMLoss(input_range=(0, 1))
        >>> loss(white, white), loss(black, white)  # the windows agree in nothing but that they are flat
        (tensor(0.), tensor(0.9999))
    """

    function = staticmethod(ssim_loss)

    def __init__(self, *, input_range: tuple[float, float] = (-1.0, 1.0), reduction: Reduction = "mean") -> None:
        check_input_range(input_range)
        super().__init__(input_range=input_range, reduction=reduction)


class MSSSIMLoss(SimilarityLoss):
    r"""One minus the structural similarity at several scales, :math:`1 - \prod_k s_k^{w_k}` (Wang et al. 2003).

    :math:`s_k` is the second factor of :class:`SSIMLoss` averaged over a picture's windows, and at the last scale both
    factors. Each scale is the one before with every 2 x 2 pixels averaged; an odd row or column at the end is left out.
    A scale whose :math:`s_k` is negative, the opposite of the target, counts as 0: the loss is 1, and has no gradient.

    Args:
        scale_weights: :math:`w_k` > 0 for each scale, the finest first. The five of the paper need sides of 176 pixels;
            with each weight less, half of that is enough.
        input_range: black and white in the pictures: (-1, 1) as in pix2pix, (0, 1) or (0, 255).
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.

    Example:
        >>> picture = torch.rand(1, 3, 176, 176)
        >>> MSSSIMLoss(input_range=(0, 1))(picture, picture)
        tensor(0.)
    """

    function = staticmethod(ms_ssim_loss)

    def __init__(
        self,
        *,
        scale_weights: Sequence[float] = SCALE_WEIGHTS,
        input_range: tuple[float, float] = (-1.0, 1.0),
        reduction: Reduction = "mean",
    ) -> None:
        _check_scale_weights(scale_weights)
        check_input_range(input_range)
        super().__init__(scale_weights=tuple(scale_weights), input_range=input_range, reduction=reduction)


def _distances(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """One minus the two factors of SSIM in every window, N x C x (H - 10) x (W - 10) each.

    With s = x + y and d = x - y the factors are one minus the share of d in the squared means and in the variances.
    So a small difference keeps its digits, which one minus a similarity near 1 would lose.
    """
    pair = torch.stack([x + y, x - y])
    # Variances do not depend on where 0 is. Around the mean of a picture their cancellation costs the fewest digits.
    center = pair.detach().mean((-2, -1), keepdim=True)
    mean, square = _blur(torch.stack([pair - center, (pair - center).square()]))
    s_variance, d_variance = square - mean.square()
    s_mean, d_mean = (mean + center).square()
    luminance = d_mean / ((s_mean + d_mean) / 2 + K1**2)
    structure = d_variance / ((s_variance + d_variance) / 2 + K2**2)
    return luminance, structure


def _blur(maps: Tensor) -> Tensor:
    """The weighted means of all windows inside ``maps``, ... x H x W.

    Sums of shifted maps, and no convolution: that would be in TF32 on a GPU, in the backward pass as well, which leaves
    a variance no digits.
    """
    window = [math.exp(-((place - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for place in range(WINDOW)]
    for dim in (-2, -1):
        size = maps.shape[dim] - WINDOW + 1
        shifted = (weight / sum(window) * maps.narrow(dim, place, size) for place, weight in enumerate(window))
        maps = functools.reduce(torch.add, shifted)
    return maps


def _in_unit_range(
    input: Tensor, target: Tensor, input_range: tuple[float, float], *, scales: int
) -> tuple[Tensor, Tensor]:
    """Both pictures in [0, 1], after checking that a window fits in at the last scale."""
    check_input_range(input_range)
    check_same_shape(input, target)
    smallest = WINDOW * 2 ** (scales - 1)
    if input.dim() != 4 or min(input.shape[2:]) < smallest:
        remedy = f" for {scales} scales: fewer scale_weights take smaller ones" if scales > 1 else ""
        raise ValueError(
            f"input must have the shape N x C x H x W with sides of at least {smallest}{remedy}; "
            f"got {tuple(input.shape)}"
        )
    black, white = input_range
    return (input - black) / (white - black), (target - black) / (white - black)


def _check_scale_weights(scale_weights: Sequence[float]) -> None:
    if not scale_weights:
        raise ValueError("scale_weights must hold one weight per scale, at least one; got none")
    for weight in scale_weights:
        check_number("scale_weights", weight, above=0)
