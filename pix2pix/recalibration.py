"""Statistics of batch norm that are those of all training pairs."""

from collections.abc import Iterator
from typing import cast

import lightning.pytorch as pl
from torch import Tensor

from inference import InferenceMode, recalibrate
from training import ResumableData


class Recalibration(pl.Callback):
    """Replace the generator's running statistics before each validation by those of all training pairs.

    ``Pix2Pix`` brings it along where its mode of inference is ``recalibrated``. Before validation, as its metrics
    choose the best checkpoint, which is then written with the statistics that they were measured with. Training never
    reads running statistics, so that it goes on as if nothing had been.
    """

    # The trainer puts a model's own callbacks last: GeneratorEMA has swapped its average in by then.

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Recalibrate, in training."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            recalibrate_generator(trainer, pl_module)


def recalibrate_generator(trainer: pl.Trainer, model: pl.LightningModule) -> None:
    """Replace a generator's running statistics by those of all training pairs, prepared as in evaluation.

    Args:
        trainer: which runs the model. Each of its processes takes a part of the pairs.
        model: a :class:`pix2pix.Pix2Pix`, whose generator it is.

    Raises:
        ValueError: the trainer has no data module of ours, which knows the training pairs.
    """
    mode = cast(InferenceMode, model.inference)
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, ResumableData):
        raise ValueError("norm recalibrated needs the training pairs: give the trainer a data module, not loaders")
    loader = data.evaluation_dataloader("train")

    def inputs() -> Iterator[Tensor]:
        for batch in loader:
            batch = trainer.strategy.batch_to_device(batch, model.device)
            yield trainer.precision_plugin.convert_input(batch["input"])

    def over_processes(sums: Tensor) -> Tensor:
        if trainer.world_size == 1:
            return sums
        return trainer.strategy.reduce(sums.to(model.device), reduce_op="sum").cpu()

    with trainer.precision_plugin.val_step_context():
        recalibrate(model.get_submodule("generator"), inputs, mode.dropout, over_processes)
    model.recalibrated = True  # type: ignore[assignment]  # torch takes any attribute for a tensor or module
