"""The focal frequency loss: what is missing in a picture's spectrum."""

import torch
from torch import Tensor

from losses.convention import Reduction, check_number, full_precision, power, ratio, reduce
from losses.regression import RegressionLoss, masked_error


@full_precision
def focal_frequency_loss(
    input: Tensor, target: Tensor, *, alpha: float = 1.0, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`FocalFrequencyLoss`."""
    check_number("alpha", alpha, at_least=0)
    error, mask = masked_error(input, target, mask)
    if input.dim() != 4:
        raise ValueError(f"input must have the shape N x C x H x W; got {tuple(input.shape)}")
    if not error.numel():  # MKL transforms no empty batches
        return reduce(error.sum((1, 2, 3)), reduction)
    spectrum = torch.view_as_real(torch.fft.fft2(error, norm="ortho"))  # linear: of the difference, once
    distance = spectrum.square().sum(-1)
    magnitude = distance.detach().sqrt()
    weight = power(ratio(magnitude, magnitude.amax((2, 3), keepdim=True), otherwise=0), alpha)
    return reduce((weight * distance).mean((1, 2, 3)), reduction, weight=None if mask is None else mask.any((1, 2, 3)))


class FocalFrequencyLoss(RegressionLoss):
    r"""Squared errors of a picture's frequencies, the worst ones first (Jiang et al. 2021).

    With :math:`F` the discrete Fourier transform of the error over H and W, of norm ``ortho``, it is the mean over
    frequencies and channels of :math:`w |F|^2`, where :math:`w = (|F| / \max|F|)^\alpha` takes no gradient and the
    maximum is of each picture's channel. Networks learn fine texture late, since it is a small part of the other
    losses; here it counts as soon as it is what is missing. Add it to :class:`L1Loss`.

    Args:
        alpha: :math:`\alpha` >= 0, how much the worst frequencies are preferred. 0 is :class:`MSELoss`.
        reduction: ``none`` returns N, each picture by itself; ``mean`` is over the pictures with a known pixel; or
            ``sum``.

    Example:
        >>> flat, waves = torch.zeros(1, 1, 4, 4), torch.tensor([1.0, -1.0, 1.0, -1.0]).expand(1, 1, 4, 4)
        >>> FocalFrequencyLoss()(flat, waves)  # one frequency, which has the weight 1 and all of the squared error
        tensor(1.)
    """

    function = staticmethod(focal_frequency_loss)

    def __init__(self, *, alpha: float = 1.0, reduction: Reduction = "mean") -> None:
        check_number("alpha", alpha, at_least=0)
        super().__init__(alpha=alpha, reduction=reduction)
