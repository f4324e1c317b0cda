"""Stop a run whose losses are numbers no more."""

from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl

from training.model import newest_values


class FiniteLosses(pl.Callback):
    """End the run when a loss has not been finite for a number of steps, and say since when.

    What the model logs as train/... is looked at whenever the run's loggers are due, in all processes: the device is
    waited for only then.

    Args:
        patience: over how many steps every look must find a loss that is not finite for the run to end, at least 1.
        advice: what to try, the end of the line.

    Raises:
        ValueError: ``patience`` below 1; in training: the losses are not finite.
    """

    def __init__(self, patience: int = 100, advice: str = "lower the learning rate") -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1; got {patience}")
        self.patience = patience
        self.advice = advice
        self._since: int | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the losses, if it is time."""
        step = trainer.global_step
        if step % min(trainer.log_every_n_steps, self.patience):  # type: ignore[attr-defined]
            return
        newest = newest_values(trainer, pl_module)
        losses = {name: value for name, value in newest.items() if name.startswith("train/")}
        bad = [name for name, value in losses.items() if not value.isfinite()]
        if not trainer.strategy.reduce_boolean_decision(bool(bad), all=False):
            self._since = None
            return
        self._since = step if self._since is None else self._since
        if step - self._since >= self.patience:
            names = ", ".join(bad) or "losses of another process"
            raise ValueError(f"{names}: not finite since step {self._since}; {self.advice}")

    def state_dict(self) -> dict[str, Any]:
        """Return since when losses have not been finite."""
        return {"since": self._since}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore it."""
        self._since = state_dict["since"]
