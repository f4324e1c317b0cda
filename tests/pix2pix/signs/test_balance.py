import math

import pytest
import torch

from pix2pix.signs import SkippedSteps, StrongDiscriminator, UnequalGradients
from tests.pix2pix.training import small_model
from training.callbacks import Epoch


def test_d_is_as_strong_as_on_the_pictures_that_it_knows_less() -> None:
    sign = StrongDiscriminator(0.9, "vanilla")
    said = sign.warning({"D_accuracy_real": 0.95, "D_accuracy_fake": 0.99, "G_gan": 4.0})
    assert said is not None
    assert said.startswith("D tells real from fake in 95 % of patches, and G's GAN loss is 4.00: D is too strong")
    assert "--model.lr_discriminator, take --model.gan_mode lsgan" in said
    assert sign.warning({"D_accuracy_real": 0.89, "D_accuracy_fake": 1.0, "G_gan": 4.0}) is None
    assert StrongDiscriminator(None, "vanilla").warning(dict.fromkeys(sign.columns, 1.0)) is None
    advice = StrongDiscriminator(0.9, "lsgan").warning(dict.fromkeys(sign.columns, 1.0))
    assert advice is not None
    assert "gan_mode" not in advice


def test_what_is_not_logged_yet_is_not_measured() -> None:
    """As while G warms up without D."""
    sign = StrongDiscriminator(0.9, "vanilla")
    assert sign.in_step(small_model(), {"train/G_l1": torch.tensor(1.0)}) == {}
    values = sign.values(Epoch(dict.fromkeys(sign.averaged, math.nan), {}, 1))
    assert all(map(math.isnan, values.values()))
    assert sign.warning(values) is None


@pytest.mark.parametrize(
    ("share", "ratio", "begins"),
    [
        (0.2, 0.25, None),
        (0.75, 3.0, "the GAN loss pulls 3.0 times as hard at G's output"),
        (0.01 / 1.01, 0.01, "the GAN loss pulls 0.01 times as hard at G's output"),
        (1.0, math.inf, "nothing but the GAN loss pulls at G's output"),
        (math.nan, math.nan, None),
    ],
)
def test_the_ratio_of_gradients_is_made_of_the_gan_losss_share(share: float, ratio: float, begins: str | None) -> None:
    sign = UnequalGradients(0.1, 2.0)
    values = sign.values(Epoch({"gan_share": share}, {}, 1))
    assert values["gradient_ratio"] == pytest.approx(ratio, nan_ok=True)
    said = sign.warning(values)
    assert (said or "").startswith(begins or "")
    assert (said is None) == (begins is None)
    assert UnequalGradients(None, None).warning(values) is None


def test_it_asks_for_the_share_and_takes_it_once() -> None:
    sign, model = UnequalGradients(0.1, 2.0), small_model()
    sign.before_step(model)
    assert model.wants_gan_share
    assert sign.in_step(model, {}) == {}  # a step without a GAN loss
    assert not model.wants_gan_share
    model.gan_share = torch.tensor(0.3)
    assert sign.in_step(model, {}) == {"gan_share": torch.tensor(0.3)}
    sign.before_step(model)
    assert model.gan_share is None


def test_skipped_steps_are_those_of_the_epoch() -> None:
    sign = SkippedSteps(0.3, "try less")
    found = [
        sign.values(Epoch({}, {"train/skipped": torch.tensor(float(skipped))}, steps))["skipped"]
        for skipped, steps in ((0, 10), (2, 20), (6, 30))
    ]
    assert found == [0.0, 0.2, 0.4]
    assert sign.memory == {"skipped": 6, "steps": 30}
    said = sign.warning({"skipped": 0.4})
    assert said is not None
    assert said.startswith("0.4 steps of G or D in a batch are left out")
    assert said.endswith("try less")
    assert sign.warning({"skipped": 0.2}) is None
    assert math.isnan(SkippedSteps(0.3, "").values(Epoch({}, {}, 10))["skipped"])
