"""Total variation: how much a picture changes from pixel to pixel."""

from torch import Tensor

from losses.convention import Loss, Reduction, full_precision, reduce


@full_precision
def total_variation_loss(input: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`TotalVariationLoss`."""
    if input.dim() < 3:
        raise ValueError(f"input must have the shape N x ... x H x W; got {tuple(input.shape)}")
    down, right = (_mean_of_samples(input.diff(dim=dim).abs()) for dim in (-2, -1))
    return reduce(down + right, reduction)


class TotalVariationLoss(Loss):
    r"""Total variation of a picture, :math:`\mathrm{mean}|\nabla_x u| + \mathrm{mean}|\nabla_y u|` (Rudin et al. 1992).

    The differences of neighbors in rows and in columns, each averaged (the anisotropic form). It needs no target: add
    it with a small weight to a loss that has one, against noise and checkerboards. Edges cost as much as gentle slopes
    between the same values, so they stay sharp.

    Args:
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.

    Example:
        >>> step = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
        >>> TotalVariationLoss()(step)  # one difference of 1 among three
        tensor(0.3333)
    """

    likelihood = "laplace"

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor) -> Tensor:
        """Compute the total variation of a batch of pictures.

        Args:
            input: pictures, N x ... x H x W, floating point, in any range.

        Returns:
            A scalar >= 0 (N with reduction ``none``) in at least float32. A side of one pixel has no neighbors and adds
            nothing. No pictures give 0.

        Raises:
            ValueError: ``input`` has fewer dimensions.
        """
        return total_variation_loss(input, **self.options)


def _mean_of_samples(values: Tensor) -> Tensor:
    """The mean of each sample, 0 of no values."""
    values = values.flatten(1)
    return values.sum(1) / max(values.shape[1], 1)
