"""Curriculum learning: train on the easy samples first."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from losses.convention import Loss, Reduction, check_choice, check_number, full_precision, reduce, stored_dtype

Pacing = Literal["linear", "root", "step"]


@full_precision
def curriculum_loss(
    losses: Tensor, fraction: Tensor | float, *, difficulty: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""Functional form of :class:`CurriculumLoss`, of ``losses`` N x ... and the ``fraction`` :math:`c` in (0, 1].

    The samples that count are the :math:`\lceil c N \rceil` of least difficulty; a sample's loss is the mean over its
    other dimensions.
    """
    if not losses.dim() or (difficulty is not None and difficulty.shape != losses.shape[:1]):
        raise ValueError(
            "losses must have the shape N x ... and difficulty N; "
            f"got {tuple(losses.shape)} and {None if difficulty is None else tuple(difficulty.shape)}"
        )
    losses = losses.unsqueeze(-1).flatten(1)
    losses = losses.sum(1) / max(losses.shape[1], 1)
    ranks = (losses if difficulty is None else difficulty).detach().argsort(stable=True).argsort()
    # A little less than the product: 0.7 of 10 samples are 7, but in float32 0.1 + 0.9 * 2/3 is a little more than 0.7.
    fraction = torch.as_tensor(fraction, dtype=stored_dtype(), device=losses.device)
    selected = ranks < torch.ceil(fraction * len(losses) - 1e-4)
    return reduce(torch.where(selected, losses, 0), reduction, weight=selected)


class CurriculumLoss(Loss):
    r"""Wraps a loss so that the easiest samples alone count, from a first fraction of each batch up to all of it.

    A sample's difficulty is its own loss (self-paced learning, Kumar et al. 2010) unless another measure is passed.
    With :math:`t` = epoch / ``epochs``, at most 1, and ``start`` = :math:`c_0` the fraction is

    ======= ==================================================================================================
    linear  :math:`c_0 + (1 - c_0) t`
    root    :math:`\sqrt{c_0^2 + (1 - c_0^2) t}`: new samples come as they can be learned (Platanios et al. 2019)
    step    :math:`c_0 + (1 - c_0) \lfloor S t \rfloor / S`: in S equal steps
    ======= ==================================================================================================

    Call :meth:`set_epoch` at the start of every epoch. The epoch is in the ``state_dict``: a run that is resumed goes
    on where it was.

    Args:
        loss: returns one loss per sample (N) or a map per sample (N x ...): any loss of this package with reduction
            ``none``, or a function.
        epochs: after how many epochs all samples count, > 0; fewer than the training has.
        start: the fraction :math:`c_0` of epoch 0, in (0, 1].
        pacing: ``linear``, ``root`` or ``step``.
        steps: :math:`S` >= 1 of ``step``.
        reduction: ``none`` returns N, with 0 for samples that are left out; ``mean`` is over the samples that count; or
            ``sum``.

    Raises:
        ValueError: an option is unknown or outside its range, or ``loss`` has another reduction than ``none``.

    Example:
        >>> from losses import MSELoss
        >>> loss = CurriculumLoss(MSELoss(reduction="none"), epochs=10, start=0.5)
        >>> input, target = torch.tensor([1.0, 1.0, 1.0, 50.0]), torch.zeros(4)
        >>> loss(input, target)
        tensor(1.)
        >>> loss.set_epoch(10)
        >>> loss(input, target)
        tensor(625.7500)
    """

    epoch: Tensor

    loss: Callable[..., Tensor]
    epochs: int
    start: float
    pacing: Pacing
    steps: int

    def __init__(
        self,
        loss: nn.Module | Callable[..., Tensor],
        *,
        epochs: int,
        start: float = 0.2,
        pacing: Pacing = "linear",
        steps: int = 5,
        reduction: Reduction = "mean",
    ) -> None:
        check_number("epochs", epochs, above=0)
        check_number("start", start, above=0, at_most=1)
        check_choice("pacing", pacing, Pacing)
        check_number("steps", steps, at_least=1)
        inner = getattr(loss, "reduction", "none")
        if inner != "none":
            raise ValueError(f"loss must have the reduction none, one loss per sample; got {inner!r}")
        super().__init__(loss=loss, epochs=epochs, start=start, pacing=pacing, steps=steps, reduction=reduction)
        self.register_buffer("epoch", torch.zeros((), dtype=stored_dtype()))

    def set_epoch(self, epoch: float) -> None:
        """Set where the training is: the number of epochs done, >= 0; parts of epochs are allowed."""
        check_number("epoch", epoch, at_least=0)
        self.epoch.fill_(epoch)

    @property
    def fraction(self) -> Tensor:
        """The fraction of each batch that counts now, in (0, 1], a scalar tensor."""
        progress = (self.epoch / self.epochs).clamp(max=1)
        if self.pacing == "root":
            return (self.start**2 + (1 - self.start**2) * progress).sqrt()
        if self.pacing == "step":
            progress = (progress * self.steps).floor() / self.steps
        return self.start + (1 - self.start) * progress

    def forward(self, *args: Any, difficulty: Tensor | None = None, **options: Any) -> Tensor:
        """Compute the wrapped loss of the easiest samples.

        Args:
            args: arguments of the wrapped loss, as are ``options``.
            difficulty: of the samples, N: your own measure, such as the length of a text or another model's loss
                (Bengio et al. 2009). Left out it is the sample's own loss.
            options: keyword arguments of the wrapped loss.

        Returns:
            The loss in at least float32. The mean of nothing is 0.

        Raises:
            ValueError: shapes do not fit.
        """
        return curriculum_loss(
            self.loss(*args, **options), self.fraction, difficulty=difficulty, reduction=self.reduction
        )
