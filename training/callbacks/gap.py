"""The sign of samples that are learned by heart."""

import math
from collections.abc import Mapping, Sequence

import lightning.pytorch as pl
from torch import Tensor

from training.callbacks.sign import Epoch, Sign


class Gap(Sign):
    r"""The validation loss is far above that of training: samples are learned by heart.

    The value is :math:`s \, L_{val} / L_{train}`. The training loss is the mean of the steps that are looked at, and
    so of the network as it trains, with dropout and on augmented samples.

    Args:
        loss: what is compared, in words.
        train: the logged names whose sum is the training loss.
        val: the logged name of the validation loss.
        most: the value above which it is bad; None is never.
        advice: what to try.
        scale: s, of the units of one in those of the other.
    """

    def __init__(
        self, loss: str, train: Sequence[str], val: str, most: float | None, advice: str, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.name = f"gap/{loss}"
        self.columns = [self.name]
        self.loss, self.train, self.val, self.most, self.advice, self.scale = loss, train, val, most, advice, scale
        self.averaged = [f"{self.name}/{name}" for name in train]

    def in_step(self, model: pl.LightningModule, logged: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Take the training losses."""
        return {f"{self.name}/{name}": logged[name] for name in self.train if name in logged}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Compare the losses."""
        train = sum(epoch.means[name] for name in self.averaged)
        val = self.scale * epoch.logged[self.val].item() if self.val in epoch.logged else math.nan
        return {self.name: val / train if train > 0 else math.nan}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare their ratio with the limit."""
        if self.most is None or not values[self.name] > self.most:
            return None
        return (
            f"{self.loss} is {values[self.name]:.1f} times as high in validation as in training: the training samples "
            f"are learned by heart; {self.advice}"
        )
