"""Say what is likely wrong with a run, since when, and what to try."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from training.callbacks.means import Means
from training.callbacks.sign import Epoch, Sign
from training.loggers import log_text
from training.metrics_file import STEP, Metrics
from training.model import newest_values
from training.whole_files import whole_file

FILE = "health.csv"
EPOCH = "epoch"


class Health(pl.Callback, ABC):
    """Watch for signs that training goes wrong, write them to ``health.csv``, and warn.

    When a sign has been bad for ``patience`` epochs, a line says what is likely wrong, since which epoch, and what to
    try: once in a run, and not while another bad sign explains it. When training ends, all reports are repeated.
    TensorBoard and Weights & Biases get these lines too, as the text ``health``. ``health.csv`` has a row for each
    epoch, with every value that the signs look at. Epochs are counted from 0, as in ``samples/``. A resumed run
    continues both. Training does not change by it, and waits for the device only at the end of an epoch.

    Args:
        patience: for how many epochs in a row a sign must be bad before it is reported, at least 1.
        after: epochs that end before this many steps are not judged, because nothing is learned yet; at least 0.
        every: look at the first step of an epoch and every so many after it, at least 1.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(self, patience: int, after: int, every: int) -> None:
        for name, value, least in ("patience", patience, 1), ("after", after, 0), ("every", every, 1):
            if value < least:
                raise ValueError(f"health.{name} must be at least {least}; got {value}")
        self.patience = patience
        self.after = after
        self.every = every
        self._signs: Sequence[Sign] = ()
        self._means = Means()
        self._found: dict[str, dict[str, Any]] = {}  # by sign: bad since and until which epoch, how long, its line
        self._last = 0  # the last epoch that was looked at
        self._validated = False
        self._file = Path()

    @abstractmethod
    def signs(self, model: pl.LightningModule) -> Sequence[Sign]:
        """Return the signs to look for in a model's training."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the signs, and the file, on all processes together."""
        if stage == "fit":
            self._signs = () if trainer.fast_dev_run else self.signs(pl_module)  # type: ignore[attr-defined]
            self._file = Path(trainer.log_dir or trainer.default_root_dir) / FILE

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the file; keep the rows of what a resumed run has done, later ones will be written again."""
        if self._signs and trainer.is_global_zero:
            done = Metrics(self._file).rows if trainer.global_step and self._file.is_file() else []
            kept = [self._row(int(values[EPOCH]), step, values) for step, values in done if step <= trainer.global_step]
            with whole_file(self._file) as file:
                file.write("".join([",".join([EPOCH, STEP, *self._columns]) + "\n", *kept]).encode())

    # --- measuring

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Ask the model for what the signs need, if the step is one of those that are looked at."""
        if batch_idx % self.every == 0:
            for sign in self._signs:
                sign.before_step(pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure, if the step is one of those that are looked at."""
        if self._signs and batch_idx % self.every == 0:
            logged = newest_values(trainer, pl_module)
            for sign in self._signs:
                self._means.add(sign.in_step(pl_module, logged))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let the signs begin anew."""
        self._validated = trainer.state.fn == "fit" and not trainer.sanity_checking
        for sign in self._signs:
            sign.start_validation()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measure a batch of validation."""
        if self._validated:
            for sign in self._signs:
                self._means.add(sign.in_validation(outputs, batch))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the batches of a validation together."""
        if self._validated:
            for sign in self._signs:
                self._means.add(sign.end_validation())

    # --- telling

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch's row, and tell what has been bad for long enough."""
        if not self._signs:
            return
        means = self._means.compute([name for sign in self._signs for name in sign.averaged], trainer.strategy)
        logged = trainer.callback_metrics
        if not self._validated:
            logged = {name: value for name, value in logged.items() if not name.startswith("val/")}
        self._validated = False
        self._last = trainer.current_epoch
        epoch = Epoch(means, logged, trainer.global_step)
        values = {sign: sign.values(epoch) for sign in self._signs}
        if trainer.global_step >= self.after:
            for line in self._judge(values):
                if trainer.is_global_zero:
                    trainer.print(f"health: {line}")
                    log_text(trainer.loggers, "health", line, trainer.global_step)
        if trainer.is_global_zero:
            row = {name: value for found in values.values() for name, value in found.items()}
            with open(self._file, "a") as file:
                file.write(self._row(trainer.current_epoch, trainer.global_step, row))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell all that was told, and how long it lasted."""
        if self._signs and trainer.is_global_zero:
            summary = "\n".join(self._summary())
            print(summary)
            log_text(trainer.loggers, "health", summary.removeprefix("health: "), trainer.global_step)

    def _summary(self) -> list[str]:
        told = [found for found in self._found.values() if found["line"]]
        if not told:
            return ["health: nothing to report"]
        lines = [f"health: {len(told)} of {len(self._signs)} signs were bad; the numbers are in {self._file}"]
        for found in told:
            since, until = found["since"], found["until"]
            when = f"since epoch {since}" if until == self._last else f"epochs {since} to {until}"
            lines.append(f"  {when}: {found['line']}")
        return lines

    def _judge(self, values: Mapping[Sign, Mapping[str, float]]) -> list[str]:
        """Keep since when each sign is bad, and return what is to be told now."""
        # All NaN is not measured, as without validation: neither good nor bad.
        measured = {sign: found for sign, found in values.items() if not all(map(math.isnan, found.values()))}
        wrong = {sign: line for sign, found in measured.items() if (line := sign.warning(found))}
        explained = {name for sign in wrong for name in sign.explains}
        new = []
        for sign in measured:
            line = None if sign.name in explained else wrong.get(sign)
            found = self._found.setdefault(sign.name, {"since": 0, "until": 0, "epochs": 0, "line": None})
            found["epochs"] = 0 if line is None else found["epochs"] + 1
            if line is None:
                continue
            found["until"] = self._last
            if found["line"] is None and found["epochs"] == 1:
                found["since"] = self._last
            if found["line"] is None and found["epochs"] == self.patience:
                found["line"] = line
                new.append(f"since epoch {found['since']} {line}")
        return new

    @property
    def _columns(self) -> list[str]:
        return [column for sign in self._signs for column in sign.columns]

    def _row(self, epoch: int, step: int, values: Mapping[str, float]) -> str:
        cells = ["" if math.isnan(value := values.get(name, math.nan)) else f"{value:.6g}" for name in self._columns]
        return ",".join([str(epoch), str(step), *cells]) + "\n"

    def state_dict(self) -> dict[str, Any]:
        """Return what was measured in this epoch so far, what is bad since when, and the signs' memories."""
        memories = {sign.name: dict(sign.memory) for sign in self._signs}
        return {"means": self._means.state_dict(), "found": copy.deepcopy(self._found), "memories": memories}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore it."""
        self._means.load_state_dict(state_dict["means"])
        self._found = copy.deepcopy(state_dict["found"])
        for sign in self._signs:
            sign.memory |= state_dict["memories"].get(sign.name, {})
