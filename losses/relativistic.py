"""The relativistic adversarial loss: real and generated samples are judged in pairs."""

from torch import Tensor
from torch.nn import functional as F

from losses.adversarial import Predictions, mean_of_scales, scores_of_scales
from losses.convention import Loss, Reduction, check_same_shape, full_precision, reduce


@full_precision
def relativistic_gan_loss(
    real: Tensor, fake: Tensor, *, for_discriminator: bool = True, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`RelativisticGANLoss`, of the scores of one scale."""
    check_same_shape(real, fake, "real and fake")
    lead = real - fake if for_discriminator else fake - real
    return reduce(F.softplus(-lead), reduction)


class RelativisticGANLoss(Loss):
    r"""Adversarial loss of pairs of a real and a generated sample (Jolicoeur-Martineau 2019; Huang et al. 2024).

    With scores D, ``softplus(x)`` = :math:`\log(1 + e^x)` and the mean over all scores:

    ============= =====================================================
    discriminator :math:`\mathrm{softplus}(-(D(real) - D(fake)))`
    generator     :math:`\mathrm{softplus}(-(D(fake) - D(real)))`
    ============= =====================================================

    What counts is which of the two looks more real, and not on which side of a threshold each is: mode collapse is no
    local minimum (Sun et al. 2020). The generator's step needs the scores of the real samples as well. For R3GAN add
    :func:`gradient_penalty` of both kinds, ``r1`` and ``r2``, to the discriminator's loss: without them it need not
    converge.

    Args:
        reduction: ``none`` keeps the shape, for scores of one scale; ``mean`` or ``sum``.

    Example:
        >>> loss = RelativisticGANLoss()
        >>> real, fake = torch.full((4, 1, 30, 30), 3.0), torch.full((4, 1, 30, 30), 1.0)  # one score per patch
        >>> loss(real, fake), loss(real, fake, for_discriminator=False)
        (tensor(0.1269), tensor(2.1269))
    """

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, real: Predictions, fake: Predictions, *, for_discriminator: bool = True) -> Tensor:
        """Compute the loss of the scores of pairs.

        Args:
            real: raw scores of real samples, any shape, floating point, without a sigmoid. Each is compared with the
                score at its place in ``fake``: for a patch discriminator the same patch, for a conditional one a pair
                of the same condition. A multi-scale discriminator returns a sequence of scores, or of lists of feature
                maps that end in them; the losses of its scales are averaged.
            fake: raw scores of generated samples, of the same shapes.
            for_discriminator: False in the generator's step.

        Returns:
            A scalar >= 0 (with ``reduction="none"`` the loss of each pair) in at least float32. No scores give 0.

        Raises:
            ValueError: shapes or numbers of scales differ, an empty sequence, or several scales with
                ``reduction="none"``.
        """
        reals, fakes = (scores_of_scales(*each, self.reduction) for each in (("real", real), ("fake", fake)))
        if len(reals) != len(fakes):
            raise ValueError(f"real and fake must have the same number of scales; got {len(reals)} and {len(fakes)}")
        pairs = zip(reals, fakes, strict=True)
        losses = [
            relativistic_gan_loss(*pair, for_discriminator=for_discriminator, reduction=self.reduction)
            for pair in pairs
        ]
        return mean_of_scales(losses)
