from pathlib import Path

import pytest
import torch

from multitask import Classification, Depth, Detection, Normals, Segmentation
from multitask.baselines import measure_baselines
from tests.multitask.scenes import small_data


def test_each_task_knows_its_baseline() -> None:
    labels = [torch.tensor([[[0, 2], [2, 255]]]), torch.tensor([[[255, 255], [2, 1]]])]
    assert Segmentation(3).baseline(labels) == 2
    assert Classification(4).baseline([torch.tensor([1, 3, 3]), torch.tensor([255, 255, 1, 3])]) == 3
    depth = [torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[torch.nan, 4.0], [2.0, 5.0]]]])]
    assert Depth().baseline(depth) == 3
    normals = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]).T.reshape(1, 3, 1, 3)
    assert Normals().baseline([normals]).flatten().tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    assert len(Detection(2).baseline([])["boxes"]) == 0


def test_baselines_are_learned_in_training_and_measured_in_test(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data", augmentation=None)
    measured = measure_baselines(data, {"seg": Segmentation(3), "depth": Depth(), "boxes": Detection(2)})
    scenes = {
        split: [data.layout(split)[index] for index in range(len(data.layout(split)))] for split in ("train", "test")
    }
    train, test = ({key: torch.stack([s[key] for s in scenes[i]]) for key in ("labels", "depth")} for i in scenes)
    majority = train["labels"].flatten().bincount().argmax()
    assert measured["seg/pixel_accuracy"] == pytest.approx((test["labels"] == majority).float().mean().item())
    assert measured["depth/abs"] == pytest.approx((test["depth"] - train["depth"].mean()).abs().mean().item(), rel=1e-5)
    assert measured["boxes/map"] == 0


def test_a_task_without_a_baseline_is_left_out(tmp_path: Path) -> None:
    class Riddle(Depth):
        def baseline(self, targets: object) -> None:
            return None

    assert measure_baselines(small_data(tmp_path / "data"), {"depth": Riddle()}) == {}
