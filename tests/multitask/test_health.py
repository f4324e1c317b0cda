from pathlib import Path

import pytest

from losses import UncertaintyWeighting
from multitask import Detection, MultiTask, SmallEncoder
from multitask.health import MultiTaskHealth
from tests.multitask.scenes import small_data
from tests.training.applications import build_multitask, quiet_trainer
from training import Metrics


def test_each_task_is_compared_with_its_own_training_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Random scenes can only be learned by heart."""
    trainer = quiet_trainer(
        tmp_path,
        max_epochs=30,
        enable_checkpointing=False,
        callbacks=[MultiTaskHealth(after=0, every=1, gap=1.5)],
        num_sanity_val_steps=0,
    )
    model = build_multitask(UncertaintyWeighting)
    model.lr = 0.02
    trainer.fit(model, datamodule=small_data(tmp_path / "data", augmentation=None))
    said = capsys.readouterr().out
    assert "times as high in validation as in training: the training samples are learned by heart; add scenes" in said
    rows = Metrics(tmp_path / "health.csv").rows
    assert len(rows) == 30
    _, first = rows[0]
    assert first.keys() == {"epoch", "gap/seg", "gap/depth", "gap/boxes"}


def test_a_task_of_several_losses_is_compared_with_their_sum() -> None:
    boxes = Detection(2, width=4, depth=1, parts="apart")
    model = MultiTask(SmallEncoder(width=4, blocks=0), {"boxes": boxes}, channels=8)
    (sign,) = MultiTaskHealth().signs(model)
    assert sign.averaged == [f"gap/boxes/train/boxes_{part}" for part in boxes.parts]
    assert len(sign.averaged) == 3
