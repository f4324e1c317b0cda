"""The base of the applications' models, which are rebuilt from a checkpoint alone and draw their own output."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from inference import damage_named, read_checkpoint
from inference.picture_table import Better
from training.data import ResumableData


class BuffersKept:
    """Restores a module's buffers afterwards, such as the running statistics of batch norm; can be entered again.

    Args:
        module: whose buffers.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._kept: list[tuple[Tensor, Tensor]] = []

    def __enter__(self) -> None:
        self._kept = [(buffer, buffer.clone()) for buffer in self.module.buffers()]

    @torch.no_grad()
    def __exit__(self, *error: object) -> None:
        for buffer, before in self._kept:
            buffer.copy_(before)


class Model(pl.LightningModule, ABC):
    """A LightningModule whose checkpoint holds the recipes of its networks, and so everything to rebuild it.

    Attributes:
        step_values: what the training step that runs has logged so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step_values: dict[str, Tensor] = {}
        self._row_is_due = True

    @property
    def trainer(self) -> pl.Trainer:
        """The trainer that the model is attached to.

        Without one this is an AttributeError, and not Lightning's RuntimeError: ``torch.jit.trace`` and others look at
        every attribute of a module with ``hasattr``.
        """
        if self._trainer is None and self._fabric is None:
            raise AttributeError(f"{type(self).__name__} is not attached to a trainer")
        return super().trainer

    @trainer.setter
    def trainer(self, trainer: pl.Trainer | None) -> None:
        pl.LightningModule.trainer.fset(self, trainer)  # type: ignore[attr-defined]

    def log_step(self, values: Mapping[str, Tensor]) -> None:
        """Log values of a training step.

        Lightning is given them where its loggers write a row, and in the last step of an epoch or a run: it copies a
        metric for each value, which takes longer than a small network's step.

        Args:
            values: scalars by their names.
        """
        found = {name: value.detach() for name, value in values.items()}
        self.step_values |= found
        if self._row_is_due:
            self.log_dict(found)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Begin a step, which has logged nothing yet, and find out whether Lightning wants what it will log."""
        trainer, every = self.trainer, self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        step = trainer.global_step + 1  # when this one is done
        last = trainer.is_last_batch or step == trainer.max_steps
        self.step_values, self._row_is_due = {}, bool(last or (every and step % every == 0))

    @classmethod
    @abstractmethod
    def build_parts(cls, hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Build the arguments of ``__init__`` that a checkpoint's hyperparameters hold as recipes."""

    @classmethod
    def required_arguments(cls) -> set[str]:
        """Return the arguments without which the model cannot be built; its checkpoints hold them."""
        parameters = inspect.signature(cls).parameters.values()
        return {each.name for each in parameters if each.default is each.empty}

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = True,
        **kwargs: Any,
    ) -> Self:
        """Rebuild a model from its checkpoint; see Lightning's documentation for the arguments.

        Raises:
            ValueError: the file is not there, is not a checkpoint, or holds the recipe of a class that is not there.
        """
        content = read_checkpoint(Path(checkpoint_path))
        with damage_named(checkpoint_path):
            parts = cls.build_parts(content["hyper_parameters"])
            # Not by Lightning's instantiator, which checkpoints name: it knows nothing of classes that have moved.
            options = {"_instantiator": None, **parts, **kwargs}
            return super().load_from_checkpoint(
                checkpoint_path, map_location, hparams_file, strict, weights_only=weights_only, **options
            )

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load weights; see torch's documentation.

        Raises:
            ValueError: they are those of another model.
        """
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            reason = " ".join(str(error).split("\n", 2)[1:2]).strip().partition(". ")[0][:160]
            raise ValueError(f"the weights are those of another model ({reason}); take another checkpoint") from error

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what using the model has to know of the data that it was trained on."""
        if (data := self.data) is not None:
            checkpoint["data"] = data.what_models_need()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give the data what the checkpoint knows of those that the model was trained on."""
        if (data := self.data) is not None and checkpoint.get("data"):
            data.take_over(checkpoint["data"])

    @property
    def data(self) -> ResumableData[Any] | None:
        """The data module of the trainer, if it is of ours."""
        data = getattr(getattr(self, "trainer", None), "datamodule", None)
        return data if isinstance(data, ResumableData) else None

    @property
    @abstractmethod
    def networks(self) -> list[nn.Module]:
        """The networks that training computes with, each by its forward pass."""

    @property
    @abstractmethod
    def picture_metrics(self) -> Mapping[str, Better]:
        """The metrics of single pictures, and which of their values are better; the first stands for the others."""

    @abstractmethod
    def measure_pictures(self, batch: Any, outputs: Any) -> dict[str, Tensor]:
        """Measure each picture of a batch by itself.

        Args:
            batch: with targets.
            outputs: what ``predict_step`` returned for it.

        Returns:
            N numbers for each of :attr:`picture_metrics`, NaN where a picture has nothing to measure.
        """

    @abstractmethod
    def draw(self, batch: Any, outputs: Any) -> dict[str, Tensor]:
        """Draw a batch, and the model's outputs for it.

        Args:
            batch: with targets.
            outputs: what ``predict_step`` returned for it.

        Returns:
            By their titles pictures N x 3 x H x W in [0, 1], the top one first. All batches have the same titles.
        """

    def draw_sample(self, batch: Any) -> dict[str, Tensor]:
        """Draw a batch of one as :meth:`draw`, with the model's output: pictures 3 x H x W."""
        return {title: pictures[0] for title, pictures in self.draw(batch, self.predict_step(batch, 0)).items()}

    def legend(self) -> dict[str, Tensor]:
        """Return what colors in the drawn samples mean: by its name each color, red, green and blue in [0, 1]."""
        return {}


def newest_values(trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, Tensor]:
    """Return the newest value of all that a model has logged; of our models also those of steps without a row."""
    of_this_step = module.step_values if isinstance(module, Model) else {}
    return {**trainer.callback_metrics, **of_this_step}
