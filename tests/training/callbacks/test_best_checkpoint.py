from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from training.callbacks import BestCheckpoint

SCORE = torch.tensor(0.25)


def best_of(folder: Path) -> dict[str, object]:
    """The state of what has saved a best checkpoint in a folder."""
    file = str(folder / "best.ckpt")
    return ModelCheckpoint(str(folder), monitor="val/l1").state_dict() | {
        "best_model_path": file,
        "best_model_score": SCORE,
        "best_k_models": {file: SCORE},
        "kth_best_model_path": file,
        "kth_value": SCORE,
    }


def test_the_best_is_known_also_where_the_folder_is_called_otherwise(tmp_path: Path) -> None:
    """As after a move, or by the absolute path that a resumed run has."""
    (tmp_path / "best.ckpt").touch()
    callback = BestCheckpoint("val/l1", "min")
    callback.dirpath = str(tmp_path)
    callback.load_state_dict(best_of(Path("runs/mine/checkpoints")))
    file = str(tmp_path / "best.ckpt")
    assert (callback.best_model_path, callback.best_model_score) == (file, SCORE)
    assert callback.best_k_models == {file: SCORE}
    assert callback.kth_best_model_path == file
    assert callback.kth_value == SCORE


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_a_run_without_a_best_checkpoint_of_its_own_begins_anew(tmp_path: Path) -> None:
    callback = BestCheckpoint("val/l1", "min")
    callback.dirpath = str(tmp_path)
    callback.load_state_dict(best_of(Path("runs/mine/checkpoints")))
    assert callback.best_model_score is None
    assert callback.best_k_models == {}


def test_checkpoints_of_earlier_versions_know_its_state_by_the_same_key() -> None:
    ours, lightnings = BestCheckpoint("val/l1", "max"), ModelCheckpoint(monitor="val/l1", mode="max")
    assert ours.state_key == lightnings.state_key
