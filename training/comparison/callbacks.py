"""What the runs of a comparison need that have a number of steps instead of epochs."""

import lightning.pytorch as pl


class ValidateAtEnd(pl.Callback):
    """Validate after the last of ``max_steps``, also in the middle of an epoch, which Lightning would not."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Let the run stop as if it stopped early: then Lightning validates, and the checkpoints see the metrics."""
        if trainer.global_step == trainer.max_steps:
            trainer.check_val_every_n_epoch = 1  # whatever the number of this epoch
            trainer.should_stop = True
