"""Feature matching: generated pictures compared with real ones by a discriminator's own features."""

from collections.abc import Sequence

import torch
from torch import Tensor

from losses.convention import Loss, Reduction, check_same_shape, full_precision, reduce

Features = Sequence[Sequence[Tensor]]


def feature_matching_loss(input: Features, target: Features, *, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`FeatureMatchingLoss`."""
    _check_layers(input, target)
    scales = [
        torch.stack([_distance(fake, real) for fake, real in zip(fakes[:-1], reals[:-1], strict=True)]).mean(0)
        for fakes, reals in zip(input, target, strict=True)
    ]
    return reduce(torch.stack(scales).mean(0), reduction)


class FeatureMatchingLoss(Loss):
    r"""Mean absolute difference of a discriminator's features of generated and of real pictures (Wang et al. 2018).

    :math:`\mathrm{mean}|D_k^{(l)}(fake) - D_k^{(l)}(real)|` of layer l at scale k, averaged over a scale's layers
    and then over the scales. It is a term of the generator's loss: a perceptual loss that needs no other network.
    (pix2pixHD adds up the four layers of a scale, and weighs the sum with 10: that is a weight of 40 here.)

    Args:
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.

    Example:
        >>> real = [[torch.zeros(2, 64, 8, 8), torch.zeros(2, 128, 4, 4), torch.zeros(2, 1, 3, 3)]]  # of one scale
        >>> fake = [[torch.ones(2, 64, 8, 8), torch.zeros(2, 128, 4, 4), torch.ones(2, 1, 3, 3)]]
        >>> FeatureMatchingLoss()(fake, real)  # 1 in one of two layers; the last are the scores
        tensor(0.5000)
    """

    likelihood = "laplace"

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Features, target: Features) -> Tensor:
        """Compare two outputs of a discriminator.

        Args:
            input: for generated pictures, a list for each scale, of feature maps N x ... and last the scores, as
                :class:`GANLoss` takes it. The scores do not count here.
            target: for the real pictures, of the same shapes. It takes no gradient.

        Returns:
            A scalar >= 0 (N with reduction ``none``) in at least float32. No pictures give 0.

        Raises:
            TypeError: the output of one scale that is not inside a list.
            ValueError: no scales, a scale without feature maps, or shapes, numbers of scales or of layers that differ.
        """
        return feature_matching_loss(input, target, **self.options)


@full_precision
def _distance(fake: Tensor, real: Tensor) -> Tensor:
    """The mean absolute difference of each sample, N."""
    check_same_shape(fake, real, "features of input and target")
    difference = (fake - real.detach()).abs().flatten(1)
    return difference.sum(1) / max(difference.shape[1], 1)


def _check_layers(input: Features, target: Features) -> None:
    for name, output in ("input", input), ("target", target):
        if any(isinstance(scale, Tensor) for scale in output):
            raise TypeError(f"{name} must hold a list of feature maps for each scale; got a tensor: put [...] around")
    layers = [[len(scale) - 1 for scale in output] for output in (input, target)]
    if not layers[0] or min(layers[0]) < 1 or layers[0] != layers[1]:
        raise ValueError(
            "input and target must have at least one scale, and as many feature maps before the scores, at least one; "
            f"got {layers[0]} and {layers[1]} by scale"
        )
