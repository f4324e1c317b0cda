"""The base of tasks that choose among classes, for a pixel or for a picture."""

from collections.abc import Iterable, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from losses import CrossEntropyLoss, FocalLoss, SumLoss
from losses.convention import Loss
from multitask.data.scenes import UNKNOWN_CLASS
from multitask.tasks.criterion import ignoring, terms_of
from multitask.tasks.task import Task, Totals, class_legend, class_names

WeightsOfClasses = Literal["balanced"] | Sequence[float] | None


class ClassTask(Task):
    """Base of tasks that choose one of several classes: N x C x ... logits, N x ... classes.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the classes.
        ignore_index: what is of this class does not count, nor does what layouts call unknown, 255, if it is no class.
        width: channels of the head's hidden layer.
        names: of the classes; None for their numbers.
        loss: of logits and classes, with an option ``ignore_index``, which the task sets; None for the cross-entropy.
        class_weights: weights of the classes in the loss: a number >= 0 for each, or ``balanced``.

    Raises:
        ValueError: an option outside its range, or a loss of another kind.
    """

    def __init__(
        self,
        classes: int,
        target: str,
        ignore_index: int,
        width: int,
        names: Sequence[str] | None = None,
        loss: Loss | None = None,
        class_weights: WeightsOfClasses = None,
    ) -> None:
        super().__init__(target, width)
        if classes < 2:
            raise ValueError(f"classes must be at least 2; got {classes}")
        self.classes = classes
        self.ignore_index = ignore_index
        self.names = class_names(classes, names)
        self.class_weights = class_weights
        self.criterion = ignoring(loss or CrossEntropyLoss(), ignore_index, "CrossEntropyLoss or DiceLoss")
        self.likelihood = self.criterion.likelihood
        if class_weights is not None:
            self._weigh(class_weights)

    def _weigh(self, class_weights: Literal["balanced"] | Sequence[float]) -> None:
        balanced = class_weights == "balanced"
        weights = [1.0] * self.classes if balanced else [float(weight) for weight in class_weights]
        if len(weights) != self.classes:
            raise ValueError(f"class_weights must have one of each of the {self.classes} classes; got {len(weights)}")
        takers = _weights_in(self.criterion)
        if not takers or any(getattr(term, name) is not None for term, name in takers):
            given = " and ".join(str(term) for term in terms_of(self.criterion))
            raise ValueError(f"class_weights need a loss that takes weights of classes and has none yet; got {given}")
        self.criterion = _weighted(self.criterion, weights)
        if balanced:
            for term, name in _weights_in(self.criterion):  # checkpoints keep what is counted
                term.register_buffer(name, getattr(term, name), persistent=True)

    def count(self, target: Tensor) -> Totals:
        """Count how often each class is there."""
        target = self._known(target)
        known = target[(target != self.ignore_index) & (target >= 0) & (target < self.classes)]
        return {"classes": known.flatten().cpu().bincount(minlength=self.classes)}

    def start_from(self, totals: Totals, head: nn.Module) -> str:
        """Weigh the classes by how often they are there, if they shall be ``balanced``."""
        counts = totals.get("classes", torch.zeros(self.classes, dtype=torch.int64))
        if not counts.any():
            return "nothing labeled"
        shares = [
            f"{name}: {share:.1%}" for name, share in zip(self.names, (counts / counts.sum()).tolist(), strict=True)
        ]
        if self.class_weights == "balanced":
            weights = balanced_weights(counts)
            for term, name in _weights_in(self.criterion):
                cast(Tensor, getattr(term, name)).copy_(weights)
            shares = [f"{share} x {weight:.3g}" for share, weight in zip(shares, weights.tolist(), strict=True)]
        return ", ".join(shares)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the loss over what is labeled."""
        loss: Tensor = self.criterion(prediction, self._known(target))
        return loss

    def _known(self, target: Tensor) -> Tensor:
        """The target with what layouts call unknown as what is ignored."""
        if self.ignore_index == UNKNOWN_CLASS or self.classes > UNKNOWN_CLASS:
            return target
        return torch.where(target == UNKNOWN_CLASS, self.ignore_index, target.long())

    def check(self, target: Tensor, size: tuple[int, int]) -> None:
        """Require classes from 0 to classes - 1, or the one to ignore."""
        target = self._known(target)
        wrong = (target != self.ignore_index) & ((target < 0) | (target >= self.classes))
        if wrong.any():
            raise ValueError(
                f"target must hold classes from 0 to {self.classes - 1}, or {self.ignore_index} to ignore; "
                f"got {target[wrong][0].item()}"
            )

    def build_accuracy(self) -> MulticlassAccuracy:
        """Build the share of what is labeled whose most likely class is the true one."""
        return MulticlassAccuracy(self.classes, average="micro", ignore_index=self.ignore_index, validate_args=False)

    def decode(self, prediction: Tensor) -> Tensor:
        """Return the most likely class."""
        return prediction.argmax(1)

    def legend(self) -> dict[str, Tensor]:
        """Return the colors of the classes."""
        return class_legend(self.names)

    def update(self, metrics: MetricCollection, values: Tensor, target: Tensor) -> None:
        """Update the metrics with the classes of a batch."""
        metrics.update(values, self._known(target).long())

    def measurable(self, target: Tensor) -> list[bool]:
        """Return in which pictures something is labeled."""
        return [bool((own != self.ignore_index).any()) for own in self._known(target)]

    def baseline(self, targets: Iterable[Tensor]) -> Tensor:
        """Return the most frequent class."""
        counts = torch.zeros(self.classes, dtype=torch.int64)
        for target in targets:
            counts += self.count(target)["classes"]
        return counts.argmax()


def balanced_weights(counts: Tensor) -> Tensor:
    r"""Return weights of classes with which all of them count alike, :math:`w_c = n / (C n_c)`.

    Their mean over what was counted is 1. Classes that were not there have the largest of the others' weights.

    Args:
        counts: :math:`n_c`, C, not all of them 0.
    """
    present = counts > 0
    weights = counts.sum() / (len(counts) * counts.clamp_min(1).double())
    return torch.where(present, weights, weights[present].max()).float()


def _option_of_weights(loss: Loss) -> str | None:
    """The option that holds one weight per class, if there is one."""
    if isinstance(loss, FocalLoss):
        return "alpha"
    return "weight" if "weight" in loss.options else None


def _weights_in(loss: Loss) -> list[tuple[Loss, str]]:
    """The terms that take one weight per class, and the option that holds them."""
    return [(term, name) for term in terms_of(loss) if (name := _option_of_weights(term))]


def _weighted(loss: Loss, weights: Sequence[float]) -> Loss:
    """The loss with weights of classes, of a sum those of its terms that take some."""
    if isinstance(loss, SumLoss):
        own = loss.options
        return SumLoss(**{**own, "terms": {name: _weighted(term, weights) for name, term in own["terms"].items()}})
    name = _option_of_weights(loss)
    return loss if name is None else loss.with_options(**{name: weights})
