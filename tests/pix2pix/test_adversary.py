from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from pix2pix import R1, R2
from pix2pix.adversary import AdversarialMode, Adversary, mean_score
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model


def judge(pictures: Tensor) -> list[Tensor]:
    """Two scales."""
    return [pictures.mean(1, keepdim=True), pictures[:, :1, ::2, ::2]]


def test_the_relativistic_mode_compares_the_scores_of_pairs() -> None:
    adversary = Adversary("relativistic", 0.0, 10.0, {})
    real, fake = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    lead = [a - b for a, b in zip(judge(real), judge(fake), strict=True)]
    total, found = adversary.of_discriminator(judge, real, fake, 0)
    assert_close(total, sum(F.softplus(-each).mean() for each in lead) / 2)
    assert found.keys() == {"pairs", "output_real", "output_fake", "accuracy_real", "accuracy_fake"}
    assert_close(
        adversary.of_generator(judge(fake), lambda: judge(real)), sum(F.softplus(each).mean() for each in lead) / 2
    )


def test_the_mean_score_is_over_scales_and_of_the_last_maps() -> None:
    first, second = torch.full((2, 1, 3, 3), 1.0), torch.full((2, 1, 2, 2), 4.0)
    assert mean_score(first) == 1
    assert mean_score([first, second]) == 2.5
    assert mean_score([[torch.zeros(2, 8, 5, 5), first], [torch.zeros(2, 8, 5, 5), second]]) == 2.5


@pytest.mark.parametrize(
    ("mode", "smoothing", "real", "fake"),
    [
        ("vanilla", 0.0, 0.75, 0.5),  # the boundary is 0
        ("hinge", 0.0, 0.75, 0.5),
        ("lsgan", 0.0, 0.5, 0.75),  # 0.5
        ("lsgan", 0.4, 0.75, 0.75),  # 0.3
        ("vanilla", 0.5, 0.75, 0.25),  # log(1/4 / 3/4) = -1.1
        ("wgan", 0.0, 0.5, 0.75),  # (1.1 + 0.1) / 2 = 0.6
        ("relativistic", 0.0, 0.5, 0.75),
    ],
)
def test_the_accuracy_is_the_share_of_scores_on_their_side(
    mode: AdversarialMode, smoothing: float, real: float, fake: float
) -> None:
    on_real = torch.tensor([-3.0, 0.4, 2.0, 5.0]).view(1, 1, 2, 2)
    on_fake = torch.tensor([-1.5, -0.5, 0.2, 2.2]).view(1, 1, 2, 2)
    found = Adversary(mode, smoothing, 10.0, {}).accuracies(on_real, on_fake)
    assert [value.item() for value in found] == [real, fake]


def test_the_accuracy_is_averaged_over_scales_whose_boundaries_are_their_own() -> None:
    on_real, on_fake = [torch.full((1, 1, 2, 2), 9.0), torch.ones(1, 1, 1, 1)], [torch.full((1, 1, 2, 2), 8.0)] * 2
    found = Adversary("wgan", 0.0, 10.0, {}).accuracies(on_real, on_fake)
    assert [value.item() for value in found] == [0.5, 0.5]  # right at the first scale, wrong at the second


def test_r3gan_trains(tmp_path: Path) -> None:
    model = small_model(norm="none", gan_mode="relativistic", penalties={"r1": R1(0.1), "r2": R2(0.1)})
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    assert {"train/D_pairs", "train/D_r1", "train/D_r2", "train/G_gan"} <= trainer.callback_metrics.keys()
    assert all(value.isfinite() for value in trainer.callback_metrics.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gan_mode": "relativistic", "label_smoothing": 0.1}, "label_smoothing has no meaning in mode relativistic"),
        ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\); got 1"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_model(**options)
