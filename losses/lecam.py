"""The LeCam penalty, which steadies a discriminator that is trained on few pictures."""

import torch
from torch import Tensor

from losses.convention import (
    Loss,
    Reduction,
    at_least_float32,
    check_number,
    check_same_shape,
    check_tensor,
    full_precision,
    reduce,
    stored_dtype,
)
from losses.weighting.base import sum_over_processes


@full_precision
def lecam_penalty(
    real: Tensor, fake: Tensor, real_anchor: Tensor, fake_anchor: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`LeCamPenalty`, of scores and the two anchors: numbers, as scalar tensors."""
    check_same_shape(real, fake, "real and fake")
    return reduce((real - fake_anchor).square() + (fake - real_anchor).square(), reduction)


class LeCamPenalty(Loss):
    r"""LeCam penalty, :math:`\mathrm{mean}(D(real) - \alpha_{fake})^2 + \mathrm{mean}(D(fake) - \alpha_{real})^2`.

    The anchors :math:`\alpha` are moving averages of the mean scores of generated and of real samples, and take no
    gradient. Added to the discriminator's loss with a weight below 1, it holds back a discriminator that knows its few
    real pictures by heart (Tseng et al. 2021). This is the form of the paper, without the rectifiers of its code.

    The anchors start at the means of the first batch, over all processes if there are several, and move with every call
    in training mode. They are in the ``state_dict``: a run that is resumed goes on where it was. A discriminator with
    several scales needs a penalty for each.

    Args:
        decay: how much of an anchor stays in a step, in [0, 1].
        reduction: ``none`` keeps the shape of the scores, ``mean`` or ``sum``.

    Example:
        >>> penalty = LeCamPenalty()
        >>> real, fake = torch.full((4, 1), 2.0), torch.full((4, 1), -1.0)
        >>> penalty(real, fake)  # (2 - -1)^2 + (-1 - 2)^2
        tensor(18.)
        >>> penalty(real + 1, fake), penalty.real_anchor  # 0.99 * 2 + 0.01 * 3
        (tensor(25.0601), tensor(2.0100))
    """

    decay: float
    real_anchor: Tensor
    fake_anchor: Tensor

    def __init__(self, *, decay: float = 0.99, reduction: Reduction = "mean") -> None:
        check_number("decay", decay, at_least=0, at_most=1)
        super().__init__(decay=decay, reduction=reduction)
        for name in "real_anchor", "fake_anchor":
            self.register_buffer(name, torch.full((), torch.nan, dtype=stored_dtype()))  # until there is a mean

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """Compute the penalty, and move the anchors before, in training mode.

        Args:
            real: the discriminator's raw scores of real samples, any shape, floating point.
            fake: those of as many generated samples, same shape.

        Returns:
            The penalty, >= 0, in at least float32. No scores give 0. They, and scores that are not finite, leave the
            anchors where they are.

        Raises:
            ValueError: shapes differ.
        """
        check_tensor("real", real)
        check_tensor("fake", fake)
        check_same_shape(real, fake, "real and fake")
        real_anchor, fake_anchor = self._moved(self.real_anchor, real), self._moved(self.fake_anchor, fake)
        return lecam_penalty(real, fake, real_anchor, fake_anchor, reduction=self.reduction)

    def _moved(self, anchor: Tensor, scores: Tensor) -> Tensor:
        """The anchor after these scores, which training mode keeps."""
        scores = at_least_float32(scores.detach())
        total, count = sum_over_processes(torch.stack([scores.sum(), scores.new_full((), scores.numel())]))
        mean = (total / count).to(anchor.dtype)
        moved = torch.where(anchor.isnan(), mean, torch.lerp(anchor, mean, 1 - self.decay))
        moved = torch.where(mean.isfinite(), moved, anchor)
        if self.training:
            anchor.copy_(moved)
        return moved
