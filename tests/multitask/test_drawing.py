from typing import ClassVar

import torch
from torch import Tensor

from inference.pictures import palette
from multitask import Depth, Segmentation
from multitask.drawing import draw_tasks, legend_of


class Painted(Segmentation):
    names_and_colors: ClassVar[dict[str, Tensor]] = {"floor": torch.ones(3), "0": palette(2)[0]}

    def legend(self) -> dict[str, Tensor]:
        return self.names_and_colors


def test_image_then_target_and_prediction_and_gray_without_a_target() -> None:
    image = torch.rand(2, 3, 8, 8)
    batch = {"image": image, "labels": torch.zeros(2, 8, 8, dtype=torch.int64)}
    values = {"seg": torch.ones(2, 8, 8, dtype=torch.int64), "depth": torch.zeros(2, 1, 8, 8)}
    rows = draw_tasks({"seg": Segmentation(2), "depth": Depth()}, batch, values)
    assert list(rows) == ["image", "seg target", "seg predicted", "depth target", "depth predicted"]
    assert torch.equal(rows["image"], image)
    for title, number in (("seg target", 0), ("seg predicted", 1)):
        assert torch.equal(rows[title], palette(2)[number].view(1, 3, 1, 1).expand_as(image))
    assert torch.equal(rows["depth target"], torch.full_like(image, 0.5))


def test_a_name_with_two_colors_has_its_tasks_before_it() -> None:
    legend = legend_of({"seg": Segmentation(2, names=["floor", "wall"]), "other": Painted(2)})
    assert list(legend) == ["floor", "wall", "other: floor", "0"]
    assert torch.equal(legend["other: floor"], torch.ones(3))
