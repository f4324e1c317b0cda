"""A small classifier of pictures, by which translated ones are told from their features."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DECAYS = (1e-3, 1e-2, 1e-1)  # of the weights, of which the best on held-out pictures is taken
STEPS = 100  # of L-BFGS; it is there long before


class LinearClassifier:
    """Logistic regression on features, in which all classes count alike however many pictures they have.

    Args:
        features: of the training pictures, N x D.
        labels: their classes, N strings.
        held_out: features of other pictures, M x D, M at least 1, which choose the weight decay.
        held_out_labels: their classes, M strings.

    Raises:
        ValueError: fewer than two classes.
    """

    def __init__(
        self, features: Tensor, labels: Sequence[str], held_out: Tensor, held_out_labels: Sequence[str]
    ) -> None:
        self.classes = sorted(set(labels))
        if len(self.classes) < 2:
            raise ValueError(f"classes must be at least two; got {', '.join(self.classes)}")
        self._mean, self._deviation = features.double().mean(0), features.double().std(0) + 1e-6
        index = torch.tensor([self.classes.index(label) for label in labels])
        trained = []
        for decay in DECAYS:
            self._layer = self._train(self._scaled(features), index, decay)
            trained.append((self.accuracy(held_out, held_out_labels), -decay, self._layer))
        *_, self._layer = max(trained, key=lambda each: each[:2])

    def accuracy(self, features: Tensor, labels: Sequence[str]) -> float:
        """Return the share of pictures whose class is told, averaged over the classes that there are; 0 to 1.

        Args:
            features: of the pictures, N x D, N at least 1.
            labels: their classes, N strings. Those that it was not trained on are never told.
        """
        told = [self.classes[place] for place in self._layer(self._scaled(features)).argmax(1).tolist()]
        hits: dict[str, list[bool]] = {}
        for label, found in zip(labels, told, strict=True):
            hits.setdefault(label, []).append(label == found)
        return sum(sum(each) / len(each) for each in hits.values()) / len(hits)

    def _scaled(self, features: Tensor) -> Tensor:
        return (features.double() - self._mean) / self._deviation

    def _train(self, features: Tensor, index: Tensor, decay: float) -> nn.Linear:
        layer = nn.Linear(features.shape[1], len(self.classes), dtype=torch.float64)
        nn.init.zeros_(layer.weight)  # the problem is convex: it needs no chance
        nn.init.zeros_(layer.bias)
        balance = len(index) / (len(self.classes) * index.bincount(minlength=len(self.classes)).double())
        optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(layer(features), index, balance) + decay * layer.weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        return layer.requires_grad_(False)
