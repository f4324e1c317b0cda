"""Triplet losses that find their triplets in a labelled batch, without a loop and without N^3 memory."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import Loss, Reduction, check_choice, check_number, full_precision, power, reduce
from losses.metric_learning import distance

Mining = Literal["batch_hard", "semi_hard", "semi_hard_all", "batch_all"]


@full_precision
def online_triplet_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    mining: Mining = "batch_hard",
    margin: float = 1.0,
    squared: bool = False,
    soft_margin: bool = False,
    only_active: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`OnlineTripletLoss`."""
    _check_options(mining, margin, soft_margin)
    if embeddings.dim() != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            "embeddings must have the shape N x D and labels N; "
            f"got {tuple(embeddings.shape)} and {tuple(labels.shape)}"
        )
    if not len(labels):
        return reduce(embeddings.sum(1), reduction)
    negative = labels[:, None] != labels
    positive = (~negative).fill_diagonal_(False)
    if mining in ("batch_hard", "semi_hard"):
        mine = _batch_hard if mining == "batch_hard" else _semi_hard
        difference, chosen = mine(embeddings, positive, negative, squared)
        loss = F.softplus(difference) if soft_margin else F.relu(difference + margin)
        loss, count = torch.where(chosen, loss, 0), chosen
    else:
        loss, active = _all_within_reach(embeddings, positive, negative, squared, margin, mining == "semi_hard_all")
        count = active if only_active or mining == "semi_hard_all" else negative.sum(1, keepdim=True) * positive
    if loss.dim() == 2:  # one value per anchor and positive
        loss, count = loss.sum(1), count.sum(1)
    return reduce(loss, reduction, weight=count)


class OnlineTripletLoss(Loss):
    r"""Triplet loss :math:`\max(0, d_{ap} - d_{an} + m)` over triplets that are chosen within the batch.

    ================= ==================================================================================================
    mining            triplets, and what ``mean`` divides by
    ================= ==================================================================================================
    batch_hard        each anchor with its farthest positive and its nearest negative (Hermans et al. 2017); the
                      anchors that have both
    semi_hard         each anchor and positive with the nearest negative that is farther than the positive, or else the
                      farthest negative (FaceNet, Schroff et al. 2015); these pairs
    semi_hard_all     all with :math:`d_{ap} < d_{an} < d_{ap} + m`; these triplets
    batch_all         all; those with a loss above 0, or with ``only_active=False`` all (Hermans et al. 2017)
    ================= ==================================================================================================

    All embeddings at one point cost the margin. Work is O(N^2 (D + log N)) and memory O(N^2): where all triplets count,
    an anchor's negatives are sorted once, and the sum over those within a positive's reach is a difference of
    cumulative sums.

    Args:
        mining: which triplets.
        margin: how much nearer positives must be, :math:`m` > 0, in the unit of the distance.
        squared: take the squared Euclidean distance, as FaceNet does; the margin then is one of squares.
        soft_margin: :math:`\log(1 + e^{d_{ap} - d_{an}})` instead, without a margin; for ``batch_hard`` and
            ``semi_hard`` alone, as with it no triplet is out of reach.
        only_active: for ``batch_all``: the mean is over the triplets with a loss above 0. The other modes choose theirs
            by themselves.
        reduction: ``none`` gives N, the sum of the losses of each anchor's triplets; ``mean`` or ``sum``.

    Example:
        >>> embeddings, labels = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 0, 1, 1])
        >>> OnlineTripletLoss(margin=2.0, reduction="none")(embeddings, labels)
        tensor([0., 1., 4., 0.])
    """

    def __init__(
        self,
        *,
        mining: Mining = "batch_hard",
        margin: float = 1.0,
        squared: bool = False,
        soft_margin: bool = False,
        only_active: bool = True,
        reduction: Reduction = "mean",
    ) -> None:
        _check_options(mining, margin, soft_margin)
        super().__init__(
            mining=mining,
            margin=margin,
            squared=squared,
            soft_margin=soft_margin,
            only_active=only_active,
            reduction=reduction,
        )

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of a labeled batch.

        Args:
            embeddings: N x D, floating point. Not normalized here: cosine distances come from normalized embeddings.
            labels: class of each, N, integer.

        Returns:
            The loss, >= 0, in at least float32. No triplet at all: 0.

        Raises:
            ValueError: shapes do not fit.
        """
        return online_triplet_loss(embeddings, labels, **self.options)


def _batch_hard(embeddings: Tensor, positive: Tensor, negative: Tensor, squared: bool) -> tuple[Tensor, Tensor]:
    """The difference :math:`d_{ap} - d_{an}` of each anchor's hardest triplet, N, and which anchors have one."""
    with torch.no_grad():
        centered = _centered(embeddings)
        # Squared distances but for the anchor's own norm, which changes nothing about their order in its row.
        order = torch.addmm(centered.square().sum(1), centered, centered.T, alpha=-2)
        farthest = torch.where(positive, order, -torch.inf).argmax(1, keepdim=True)
        nearest = torch.where(negative, order, torch.inf).argmin(1, keepdim=True)
        exists = positive.gather(1, farthest) & negative.gather(1, nearest)  # some other if there is none
    # Only the chosen pairs are measured again: exactly, and with a gradient of N rows instead of N^2.
    to_positive, to_negative = (
        distance(embeddings, embeddings.index_select(0, chosen.squeeze(1)), squared) for chosen in (farthest, nearest)
    )
    return to_positive - to_negative, exists.squeeze(1)


def _semi_hard(embeddings: Tensor, positive: Tensor, negative: Tensor, squared: bool) -> tuple[Tensor, Tensor]:
    """The difference :math:`d_{ap} - d_{an}` for each anchor and positive, N x N, and which of these there are."""
    distances = _distances(embeddings, squared)
    negatives = distances.masked_fill(~negative, torch.inf).sort(1).values
    number = negative.sum(1, keepdim=True)
    nearer = torch.searchsorted(negatives.detach(), distances.detach(), right=True)
    chosen = torch.minimum(nearer, number - 1).clamp_min(0)  # the first that is farther, or else the last of all
    exists = positive & (number > 0)
    return distances - torch.where(exists, negatives.gather(1, chosen), 0), exists


def _all_within_reach(
    embeddings: Tensor, positive: Tensor, negative: Tensor, squared: bool, margin: float, only_farther: bool
) -> tuple[Tensor, Tensor]:
    """For each anchor and positive, N x N: the sum of the losses that are above 0, and their number.

    With ``only_farther`` of negatives that are farther than the positive.
    """
    distances = _distances(embeddings, squared)
    negatives = distances.masked_fill(~negative, torch.inf).sort(1).values
    exists = torch.arange(len(negatives), device=negatives.device) < negative.sum(1, keepdim=True)
    sums = F.pad(torch.where(exists, negatives, 0).cumsum(1), (1, 0))  # of the k nearest, k = 0 to N

    reach = distances + margin
    end = torch.searchsorted(negatives.detach(), reach.detach())
    if only_farther:
        start = torch.searchsorted(negatives.detach(), distances.detach(), right=True)
        end = torch.maximum(start, end)  # a margin that is lost in the rounding of a huge distance
        number, nearest = end - start, sums.gather(1, end) - sums.gather(1, start)
    else:
        number, nearest = end, sums.gather(1, end)
    return torch.where(positive, number * reach - nearest, 0), torch.where(positive, number, 0)


def _distances(embeddings: Tensor, squared: bool) -> Tensor:
    """All distances, N x N, through a matrix product."""
    centered = _centered(embeddings)
    norms = centered.square().sum(1)
    squares = (norms[:, None] + norms - 2 * centered @ centered.T).clamp_min(0)
    return squares if squared else power(squares, 0.5)


def _centered(embeddings: Tensor) -> Tensor:
    """The embeddings moved to the origin, far from which a product of theirs would lose all digits."""
    return embeddings - embeddings.mean(0).detach()


def _check_options(mining: Mining, margin: float, soft_margin: bool) -> None:
    check_choice("mining", mining, Mining)
    check_number("margin", margin, above=0)
    if soft_margin and mining not in ("batch_hard", "semi_hard"):
        raise ValueError(f"soft_margin is for mining batch_hard or semi_hard, where triplets are chosen; got {mining}")
