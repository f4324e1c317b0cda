from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from losses import FixedWeighting, GradNorm
from multitask import Depth, Detection, MultiTask, Normals, Segmentation, SmallEncoder
from multitask.module import Upsampling, WeightingOfTasks
from multitask.neck import Neck


def levels(*channels: int, height: int = 12, width: int = 16) -> list[torch.Tensor]:
    return [torch.randn(2, c, height >> level, width >> level) for level, c in enumerate(channels)]


def test_coarse_levels_are_added_to_fine_ones() -> None:
    torch.manual_seed(0)
    neck, features = Neck([3, 5, 7], [2, 4, 8], 6).double().eval(), levels(3, 5, 7)
    fine, middle, coarse = (level.double() for level in features)
    assert neck.laterals is not None
    with torch.no_grad():
        x = F.interpolate(neck.laterals[2](coarse), (6, 8), mode="bilinear") + neck.laterals[1](middle)
        x = F.interpolate(x, (12, 16), mode="bilinear") + neck.laterals[0](fine)
        expected = (F.conv2d(x.relu(), neck.weight) / (1 + 1e-5) ** 0.5).relu()  # fresh batch norm
        assert_close(neck([fine, middle, coarse]), expected)


@pytest.mark.parametrize(("stride", "size"), [(None, (12, 16)), (2, (12, 16)), (4, (6, 8)), (8, (3, 4))])
def test_it_ends_at_the_stride_that_is_asked_for(stride: int | None, size: tuple[int, int]) -> None:
    neck = Neck([3, 5, 7], [2, 4, 8], 6, stride)
    features = levels(3, 5, 7)
    neck(features).sum().backward()
    assert neck(features).shape == (2, 6, *size)
    assert neck.stride == (stride or 2)
    assert all(parameter.grad is not None for parameter in neck.parameters())  # nothing waits in vain


def test_of_one_level_the_last_layer_is_all() -> None:
    assert [name for name, _ in Neck([5], [4], 6).named_parameters()] == [
        "last.0.weight",
        "last.1.weight",
        "last.1.bias",
    ]


def test_levels_need_not_be_halves_of_each_other() -> None:
    """As of encoders whose convolutions round up."""
    features = [torch.randn(1, 3, 7, 5), torch.randn(1, 4, 4, 3)]
    assert Neck([3, 4], [2, 4], 6)(features).shape == (1, 6, 7, 5)


def test_another_stride_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^stride must be one of the encoder's, 2, 4; got 16$"):
        Neck([3, 4], [2, 4], 6, 16)


# --- what all tasks share


def pyramid(weighting: WeightingOfTasks, width: int = 24, **options: Any) -> MultiTask:
    torch.manual_seed(0)
    tasks = {"seg": Segmentation(13), "depth": Depth(), "normals": Normals(), "boxes": Detection(13, pool=2)}
    return MultiTask(SmallEncoder(width, output_stride=16), tasks, weighting, **options)


def dense_losses(model: MultiTask, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """A loss for each of the tasks, each from its own view, as in a step of the training."""
    features = model.neck(model.encoder(images))
    views = model.weighting.branch(features, model.neck.weight)
    size = (images.shape[2], images.shape[3])
    found = {name: model._head(name, views[name], size, model._guide(images)) for name in model.heads}
    return {
        name: value.square().mean() if isinstance(value, torch.Tensor) else value.logits.square().mean()
        for name, value in found.items()
    }


def operations(weighting: WeightingOfTasks) -> int:
    model = pyramid(weighting, channels=64, upsampling="guided")
    with FlopCounterMode(display=False) as counter:
        model.weighting(dense_losses(model, torch.rand(2, 3, 96, 128))).backward()
    return int(counter.get_total_flops())


def test_gradnorm_costs_at_most_a_twentieth_of_a_step() -> None:
    assert 1 < operations(GradNorm) / operations(FixedWeighting) <= 1.05


@pytest.mark.parametrize("upsampling", ["bilinear", "guided"])
def test_gradnorms_norms_are_autograds(upsampling: Upsampling) -> None:
    """With the pyramid, whose levels all reach the last layer."""
    model = pyramid(GradNorm, width=4, channels=8, upsampling=upsampling).double()
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    equal = pyramid(FixedWeighting, width=4, channels=8, upsampling=upsampling).double()
    expected = {
        name: torch.autograd.grad(loss, equal.neck.weight, retain_graph=True)[0].norm().item()
        for name, loss in dense_losses(equal, images).items()
    }
    model.weighting(dense_losses(model, images)).backward()
    model.weighting.step()
    report = model.weighting.report()
    for name, norm in expected.items():
        assert report[f"gradient_norm/{name}"].item() == pytest.approx(norm, rel=1e-12), name
