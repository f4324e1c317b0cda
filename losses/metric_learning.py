"""Metric learning: losses of embeddings given as pairs, as triplets, or as two views of each sample."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import Loss, Reduction, check_number, check_same_shape, full_precision, reads_values, reduce


@full_precision
def contrastive_loss(
    first: Tensor,
    second: Tensor,
    same: Tensor,
    *,
    margin: float = 1.0,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`ContrastiveLoss`."""
    check_number("margin", margin, above=0)
    _check_embeddings(first, second, "first and second")
    if same.shape != first.shape[:1]:
        raise ValueError(
            f"same must have one value for each row of first, whose shape is {tuple(first.shape)}; "
            f"got the shape {tuple(same.shape)}"
        )
    y = same.to(first.dtype)
    if reads_values(validate, y) and not ((y >= 0) & (y <= 1)).all():  # -1 for different pairs: without a lower bound
        raise ValueError(
            "same must be 1 for pairs that belong together and 0 for the others; "
            f"got {y.min().item():g} to {y.max().item():g}"
        )
    gap = F.relu(margin - distance(first, second))
    return reduce(0.5 * (y * distance(first, second, squared=True) + (1 - y) * gap.square()), reduction)


class ContrastiveLoss(Loss):
    r"""Contrastive loss of pairs, :math:`\frac12 y d^2 + \frac12 (1 - y) \max(0, m - d)^2` (Hadsell et al. 2006).

    :math:`d = \lVert a - b \rVert_2` is drawn to 0 for pairs of one class (y = 1), and beyond the margin for others.
    Different pairs at one point cost :math:`m^2/2` and have the gradient 0: no direction is better than another.

    Args:
        margin: the distance :math:`m` > 0 from which on different pairs cost nothing.
        reduction: ``none`` gives N; ``mean`` or ``sum`` over the pairs.
        validate: whether to look for values of ``same`` outside [0, 1] (on a GPU that waits for it).

    Example:
        >>> first, second = torch.zeros(2, 2), torch.tensor([[3.0, 4.0], [0.3, 0.4]])  # distances of 5 and 0.5
        >>> ContrastiveLoss(reduction="none")(first, second, torch.tensor([True, False]))
        tensor([12.5000,  0.1250])
    """

    def __init__(self, *, margin: float = 1.0, reduction: Reduction = "mean", validate: bool = True) -> None:
        check_number("margin", margin, above=0)
        super().__init__(margin=margin, reduction=reduction, validate=validate)

    def forward(self, first: Tensor, second: Tensor, same: Tensor) -> Tensor:
        """Compute the loss of pairs.

        Args:
            first: embeddings of one member of each pair, N x D, floating point.
            second: embeddings of the other, N x D.
            same: whether the two belong together, N; boolean, or 1 and 0. (The paper's Y is the opposite.)

        Returns:
            The loss, >= 0, in at least float32. The mean of nothing is 0.

        Raises:
            ValueError: shapes do not fit, or ``same`` is outside [0, 1].
        """
        return contrastive_loss(first, second, same, **self.options)


@full_precision
def triplet_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    margin: float = 1.0,
    squared: bool = False,
    swap: bool = False,
    soft_margin: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`TripletLoss`."""
    check_number("margin", margin, above=0)
    _check_embeddings(anchor, positive, "anchor and positive")
    _check_embeddings(anchor, negative, "anchor and negative")
    to_negative = distance(anchor, negative, squared)
    if swap:
        to_negative = torch.minimum(to_negative, distance(positive, negative, squared))
    difference = distance(anchor, positive, squared) - to_negative
    return reduce(F.softplus(difference) if soft_margin else F.relu(difference + margin), reduction)


class TripletLoss(Loss):
    r"""Triplet loss, :math:`\max(0, d_{ap} - d_{an} + m)` (Schroff et al. 2015).

    All embeddings at one point cost the margin (log 2 with ``soft_margin``).

    Args:
        margin: how much nearer the positive must be, :math:`m` > 0, in the unit of the distance.
        squared: take the squared Euclidean distance, as FaceNet does; the margin then is one of squares.
        swap: take the negative's distance to the positive where that is the smaller one (Balntas et al. 2016).
        soft_margin: :math:`\log(1 + e^{d_{ap} - d_{an}})` instead, without a margin (Hermans et al. 2017).
        reduction: ``none`` gives N; ``mean`` is over all triplets, also those that cost nothing; or ``sum``.

    Example:
        >>> anchor, positive, negative = torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([[3.0, 4.0]])
        >>> TripletLoss(margin=5.0)(anchor, positive, negative)  # the root of 2, minus 5, plus 5
        tensor(1.4142)
    """

    def __init__(
        self,
        *,
        margin: float = 1.0,
        squared: bool = False,
        swap: bool = False,
        soft_margin: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        check_number("margin", margin, above=0)
        super().__init__(margin=margin, squared=squared, swap=swap, soft_margin=soft_margin, reduction=reduction)

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Compute the loss of triplets.

        Args:
            anchor: embeddings, N x D, floating point.
            positive: embeddings of the anchors' classes, N x D.
            negative: embeddings of other classes, N x D.

        Returns:
            The loss, >= 0, in at least float32. The mean of nothing is 0.

        Raises:
            ValueError: shapes do not fit.
        """
        return triplet_loss(anchor, positive, negative, **self.options)


@full_precision
def info_nce_loss(
    query: Tensor, key: Tensor, *, temperature: float = 0.07, symmetric: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`InfoNCELoss`."""
    check_number("temperature", temperature, above=0)
    _check_embeddings(query, key, "query and key")
    similarity = F.normalize(query, dim=1) @ F.normalize(key, dim=1).T / temperature
    partner = torch.arange(len(query), device=query.device)
    loss = F.cross_entropy(similarity, partner, reduction="none")
    if symmetric:
        loss = (loss + F.cross_entropy(similarity.T, partner, reduction="none")) / 2
    return reduce(loss, reduction)


class InfoNCELoss(Loss):
    r"""InfoNCE, the cross-entropy of finding each query's key among all keys (van den Oord et al. 2018).

    :math:`-\log \frac{\exp(s_{ii}/\tau)}{\sum_j \exp(s_{ij}/\tau)}` with the cosine similarity :math:`s_{ij}` of
    query i and key j. Embeddings that are all the same cost log N; one pair alone costs 0.

    Args:
        temperature: :math:`\tau` > 0.
        symmetric: the mean of the losses of both directions, query to key and key to query, as CLIP has it.
        reduction: ``none`` gives N; ``mean`` or ``sum``.

    Example:
        >>> InfoNCELoss()(torch.ones(8, 4), torch.ones(8, 4))  # log 8
        tensor(2.0794)
        >>> InfoNCELoss()(torch.eye(8), torch.eye(8)) < 1e-4
        tensor(True)
    """

    def __init__(self, *, temperature: float = 0.07, symmetric: bool = False, reduction: Reduction = "mean") -> None:
        check_number("temperature", temperature, above=0)
        super().__init__(temperature=temperature, symmetric=symmetric, reduction=reduction)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Compute the loss of queries and their keys.

        Args:
            query: embeddings, N x D, floating point; they are normalized here.
            key: embeddings, N x D: row i belongs to query i, and the other rows are its negatives.

        Returns:
            The loss, >= 0, in at least float32. The mean of nothing is 0.

        Raises:
            ValueError: shapes do not fit.
        """
        return info_nce_loss(query, key, **self.options)


@full_precision
def nt_xent_loss(first: Tensor, second: Tensor, *, temperature: float = 0.07, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`NTXentLoss`."""
    check_number("temperature", temperature, above=0)
    _check_embeddings(first, second, "first and second")
    views = F.normalize(torch.cat([first, second]), dim=1)
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    similarity = (views @ views.T / temperature).masked_fill(itself, -torch.inf)
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return reduce(F.cross_entropy(similarity, partner, reduction="none"), reduction)


class NTXentLoss(Loss):
    r"""NT-Xent, SimCLR's loss: each of 2N views finds its partner among the 2N - 1 others (Chen et al. 2020).

    Unlike in :class:`InfoNCELoss` the negatives of a view are the views of other samples on both sides. Embeddings that
    are all the same cost log(2N - 1); one sample alone costs 0.

    Args:
        temperature: :math:`\tau` > 0 that divides the cosine similarities.
        reduction: ``none`` gives 2N, the first views before the second; ``mean`` or ``sum``.

    Example:
        >>> NTXentLoss()(torch.ones(8, 4), torch.ones(8, 4))  # log 15
        tensor(2.7081)
    """

    def __init__(self, *, temperature: float = 0.07, reduction: Reduction = "mean") -> None:
        check_number("temperature", temperature, above=0)
        super().__init__(temperature=temperature, reduction=reduction)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compute the loss of two views of each sample.

        Args:
            first: embeddings of one view of each sample, N x D, floating point; they are normalized here.
            second: embeddings of the other view, N x D.

        Returns:
            The loss, >= 0, in at least float32. The mean of nothing is 0.

        Raises:
            ValueError: shapes do not fit.
        """
        return nt_xent_loss(first, second, **self.options)


def distance(first: Tensor, second: Tensor, squared: bool = False) -> Tensor:
    """Euclidean distance of the rows of two N x D tensors, N, or its square; its gradient at 0 is 0."""
    difference = first - second
    return difference.square().sum(1) if squared else torch.linalg.vector_norm(difference, dim=1)


def _check_embeddings(first: Tensor, second: Tensor, names: str) -> None:
    check_same_shape(first, second, names)
    if first.dim() != 2:
        raise ValueError(f"{names} must have the shape N x D; got {tuple(first.shape)}")
