"""The checkpoint of the best epoch."""

from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Save ``checkpoints/best.ckpt`` after each epoch that is better than all before, also before a resume.

    Args:
        monitor: the metric that is compared.
        mode: which of its values are better.
    """

    def __init__(self, monitor: str, mode: Literal["min", "max"]) -> None:
        super().__init__(
            filename="best",
            monitor=monitor,
            mode=mode,
            # By default it saves after validation, before the end of the epoch, which a resume would miss.
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    @property
    def state_key(self) -> str:
        """What its state is called in checkpoints: that of Lightning's own, as in those of earlier versions."""
        return super().state_key.replace(type(self).__name__, ModelCheckpoint.__name__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what was best, wherever the run's folder is now.

        Lightning's own forgets it where the folder is called otherwise: after a move, or by its absolute path.
        """
        assert self.dirpath is not None, "the setup comes before"
        file = str(Path(self.dirpath) / "best.ckpt")
        if Path(file).is_file() and state_dict["best_model_path"]:
            score = state_dict["best_model_score"]
            paths = dict.fromkeys(("best_model_path", "kth_best_model_path", "last_model_path"), file)
            state_dict = state_dict | paths | {"dirpath": self.dirpath, "best_k_models": {file: score}}
        super().load_state_dict(state_dict)
