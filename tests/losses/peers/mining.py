"""Triplets as their definitions say, in loops over N^3 of them: an oracle that nobody would train with."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]


def losses_by_anchor(embeddings: Array, labels: Array, *, mining: str, margin: float, squared: bool) -> list[Array]:
    """For each anchor the losses of its triplets; those of ``batch_all`` with the ones that are 0."""
    distances = cdist(embeddings, embeddings, "sqeuclidean" if squared else "euclidean")
    return [
        np.array([max(0.0, to_positive - to_negative + margin) for to_positive, to_negative in triplets])
        for triplets in (
            list(_triplets(to_positives, to_negatives, mining, margin))
            for to_positives, to_negatives in _distances_by_anchor(distances, labels)
        )
    ]


def _distances_by_anchor(distances: Array, labels: Array) -> Iterator[tuple[Array, Array]]:
    for anchor, label in enumerate(labels):
        positive = labels == label
        positive[anchor] = False
        yield distances[anchor, positive], distances[anchor, labels != label]


def _triplets(
    to_positives: Array, to_negatives: Array, mining: str, margin: float
) -> Iterator[tuple[np.float64, np.float64]]:
    if not len(to_positives) or not len(to_negatives):
        return
    if mining == "batch_hard":
        yield to_positives.max(), to_negatives.min()
        return
    for to_positive in to_positives:
        farther = to_negatives[to_negatives > to_positive]
        if mining == "semi_hard":
            yield to_positive, farther.min() if len(farther) else to_negatives.max()
        elif mining == "semi_hard_all":
            yield from ((to_positive, to_negative) for to_negative in farther if to_negative < to_positive + margin)
        else:
            yield from ((to_positive, to_negative) for to_negative in to_negatives)
