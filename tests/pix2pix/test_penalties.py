from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from losses import LeCamPenalty
from pix2pix import R1, R2, LeCam, Pix2Pix
from pix2pix.adversary import Adversary
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model


def judge(pictures: Tensor) -> Tensor:
    """Two scores a picture, 3 and -1 times the sum of the squares of its first channel."""
    squares = pictures[:, :1].square().sum((2, 3), keepdim=True)
    return torch.cat([3 * squares, -squares], 2)


@pytest.mark.parametrize(("scores", "factor"), [("sum", 2.0), ("mean", 1.0)])
def test_r1_and_r2_are_half_the_squared_gradient_at_their_pictures(scores: str, factor: float) -> None:
    real, fake = torch.rand(4, 3, 5, 5), torch.rand(4, 3, 5, 5)
    for penalty, at in (R1(scores=scores), real), (R2(scores=scores), fake):  # type: ignore[arg-type]
        gradient = 2 * factor * at[:, 0]
        expected = gradient.square().sum((1, 2)).mean() / 2
        assert_close(penalty(judge, real, fake, judge(real), judge(fake)), expected)


def test_a_lazy_penalty_has_the_weight_of_the_steps_that_it_stands_for() -> None:
    adversary = Adversary("lsgan", 0.0, 10.0, {"r1": R1(0.5, every=4)})
    plain = Adversary("lsgan", 0.0, 10.0, {})
    real, fake = torch.rand(2, 3, 5, 5), torch.rand(2, 3, 5, 5)
    for step in range(6):
        total, found = adversary.of_discriminator(judge, real, fake, step)
        without, _ = plain.of_discriminator(judge, real, fake, step)
        assert ("r1" in found) == (step in (0, 4))
        extra = 0.5 * 4 * found["r1"] if "r1" in found else torch.tensor(0.0)
        assert_close(total - without, extra, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("options", "message"), [({"weight": -1.0}, "weight must"), ({"every": 0}, "every must")])
def test_options_outside_their_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        R1(**options)  # type: ignore[arg-type]


def test_lecam_has_averages_for_each_scale() -> None:
    real, fake = [torch.rand(2, 1, 4, 4), torch.rand(2, 1, 2, 2)], [torch.rand(2, 1, 4, 4), torch.rand(2, 1, 2, 2)]
    pictures = torch.rand(2, 3, 4, 4)
    expected = sum(LeCamPenalty()(a, b) for a, b in zip(real, fake, strict=True)) / 2
    assert_close(LeCam(scales=2)(judge, pictures, pictures, real, fake), expected)
    with pytest.raises(ValueError, match="LeCam: scales must be 2, as many as the discriminator has; got 1"):
        LeCam()(judge, pictures, pictures, real, fake)


def test_lecams_averages_are_in_the_checkpoint(tmp_path: Path) -> None:
    model = small_model(penalties={"lecam": LeCam(0.1)})
    trainer = quiet_trainer(max_steps=2)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt")
    averages = {name: tensor for name, tensor in again.state_dict().items() if "anchor" in name}
    assert len(averages) == 2
    assert all(tensor == model.state_dict()[name] != 0 for name, tensor in averages.items())
