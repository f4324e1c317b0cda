"""An exponential moving average of the generator's weights."""

import copy
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

PREFIX = "generator."
TRAINED = "trained_generator"


class GeneratorEMA(pl.Callback):
    r"""Evaluate with, and save, a moving average of G: after each batch :math:`w' \leftarrow d w' + (1 - d) w`.

    Its pictures change less from batch to batch than those of the weights that are trained (Yazici et al. 2019).
    Validation, sample pictures and the ``state_dict`` of checkpoints have the average; the weights that training
    continues with are in the checkpoint beside it. Running statistics of batch norm are averaged like weights.

    Args:
        decay: d, in [0, 1): 0.999 averages over about 1,000 batches.

    Raises:
        ValueError: ``decay`` outside [0, 1).
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be in [0, 1); got {decay}")
        self.decay = decay
        self._average: nn.Module | None = None
        self._begun = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Begin the average in training; a checkpoint that is tested already holds it."""
        if stage == "fit":
            self._average, self._begun = copy.deepcopy(pl_module.get_submodule("generator")), False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Move the average to the model's device."""
        self._averaged.to(pl_module.device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the average with the weights after the batch."""
        self._update(pl_module.get_submodule("generator"))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Swap the average into the model."""
        self._swap(pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Swap the trained weights back."""
        self._swap(pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the average as the generator, the trained weights beside it."""
        state: dict[str, Tensor] = checkpoint["state_dict"]
        average = self._averaged.state_dict()
        checkpoint[TRAINED] = {name: state[PREFIX + name] for name in average}
        state.update({PREFIX + name: tensor for name, tensor in average.items()})

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on with the trained weights; in a run that had no average yet, begin the average with them.

        The test at the end of a run keeps the average, which the checkpoint's ``state_dict`` has.
        """
        if trainer.state.fn == TrainerFn.FITTING:
            self._averaged.load_state_dict(pl_module.get_submodule("generator").state_dict())
            self._begun = True
            pl_module.get_submodule("generator").load_state_dict(
                checkpoint.get(TRAINED, pl_module.get_submodule("generator").state_dict())
            )

    @property
    def _averaged(self) -> nn.Module:
        if self._average is None:
            raise RuntimeError("GeneratorEMA: setup was not called")
        return self._average

    @torch.no_grad()
    def _update(self, generator: nn.Module) -> None:
        """Average without a wait for the device, as ``torch.optim.swa_utils.AveragedModel`` has two in each update."""
        ours, theirs = ([*network.parameters(), *network.buffers()] for network in (self._averaged, generator))
        pairs = list(zip(ours, theirs, strict=True))
        smooth = [pair for pair in pairs if self._begun and pair[0].is_floating_point()]
        if smooth:
            torch._foreach_lerp_([a for a, _ in smooth], [b for _, b in smooth], 1 - self.decay)
        for average, newest in pairs:
            if not self._begun or not average.is_floating_point():  # counts of batches are taken over
                average.copy_(newest)
        self._begun = True

    @torch.no_grad()
    def _swap(self, pl_module: pl.LightningModule) -> None:
        if self._average is None or not self._begun:
            return  # not in training, or before its first batch: there is no average
        ours, trained = self._averaged.state_dict(), pl_module.get_submodule("generator").state_dict()
        for name, tensor in trained.items():
            kept = tensor.clone()
            tensor.copy_(ours[name])
            ours[name].copy_(kept)
