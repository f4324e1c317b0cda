"""The terms of G's loss."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from losses import (
    CharbonnierLoss,
    FeatureMatchingLoss,
    FocalFrequencyLoss,
    FocalLoss,
    GradientMatchingLoss,
    GradNorm,
    L1Loss,
    MatchedGradients,
    SSIMLoss,
    TotalVariationLoss,
    UncertaintyWeighting,
)
from pix2pix import DiffAugment, MultiScaleDiscriminator, Pix2Pix, UNetGenerator
from pix2pix.discriminators import Discriminator
from pix2pix.objective import Terms
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model


def terms(**options: Any) -> Terms:
    given = {"lambda_l1": 100.0, "terms": {}, "factors": {}, "ramps": {}, "weighting": None}
    return Terms(**(given | options))


def test_the_total_is_the_sum_with_factors() -> None:
    objective = terms(terms={"ssim": SSIMLoss()}, factors={"ssim": 3.0, "gan": 2.0})
    losses = {"gan": torch.tensor(0.5), "l1": torch.tensor(0.25), "ssim": torch.tensor(0.125)}
    assert objective.total(losses, 0) == 2 * 0.5 + 100 * 0.25 + 3 * 0.125


def test_a_ramp_rises_linearly_to_the_factor() -> None:
    objective = terms(ramps={"gan": 4})
    assert [objective.factor("gan", epoch) for epoch in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert objective.factor("l1", 0) == 100


def test_each_kind_of_term_sees_what_it_is_of() -> None:
    made, target = torch.rand(2, 3, 16, 16) * 2 - 1, torch.rand(2, 3, 16, 16) * 2 - 1
    known = torch.rand(2, 1, 16, 16) > 0.5
    features = ([[torch.rand(2, 4, 8, 8), torch.rand(2, 1, 7, 7)]], [[torch.rand(2, 4, 8, 8), torch.rand(2, 1, 7, 7)]])
    kinds = {
        "charbonnier": CharbonnierLoss(),
        "tv": TotalVariationLoss(),
        "match": FeatureMatchingLoss(),
        "ssim": SSIMLoss(),
    }
    objective = terms(terms=kinds)

    def of_term(name: str) -> Tensor:
        return objective.compute(name, made, target, known, lambda: features)

    assert of_term("charbonnier") == CharbonnierLoss()(made, target, mask=known)
    assert of_term("l1") == L1Loss()(made, target, mask=known)
    assert of_term("tv") == TotalVariationLoss()(made)
    assert of_term("match") == FeatureMatchingLoss()(*features)
    assert of_term("ssim") == SSIMLoss()(made, target)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"terms": {"l1": SSIMLoss()}}, "a term's name must be of letters, digits and _, not gan or l1; got 'l1'"),
        ({"terms": {"a b": SSIMLoss()}}, "a term's name must be of letters"),
        ({"terms": {"a": torch.nn.L1Loss()}}, "term a must be one of the package losses; got L1Loss"),
        ({"terms": {"a": L1Loss(reduction="none")}}, "term a must have the reduction mean or sum, not none"),
        ({"weights": {"b": 1.0}}, "weights must be of the terms gan, l1; got b"),
        ({"weights": {"l1": 1.0}}, "weights must leave out l1, whose weight is lambda_l1"),
        ({"weights": {"gan": -1.0}}, "weights must"),
        ({"ramps": {"b": 1}}, "ramps must be of the terms gan, l1; got b"),
        ({"ramps": {"gan": 0}}, "ramps must"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_model(**options)


def test_a_term_that_is_left_out_may_still_have_a_weight() -> None:
    model = small_model(terms={"ssim": None}, weights={"ssim": 2.0, "gan": 0.5}, ramps={"ssim": 2})
    assert model.objective.factors == {"gan": 0.5, "l1": 100.0}


class Plain(Discriminator):
    """Without feature maps."""

    def __init__(self) -> None:
        super().__init__(6)

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True)


def test_matching_needs_features_that_are_of_the_same_pictures() -> None:
    with pytest.raises(ValueError, match="Plain has no method features, which FeatureMatchingLoss needs"):
        Pix2Pix(UNetGenerator(levels=3), Plain(), terms={"features": FeatureMatchingLoss()})
    with pytest.raises(ValueError, match="a term that matches features goes with no augmentation"):
        small_model(terms={"features": FeatureMatchingLoss()}, augmentation=DiffAugment())


EVERYTHING: dict[str, Any] = {
    "charbonnier": CharbonnierLoss(),
    "ssim": SSIMLoss(),
    "features": FeatureMatchingLoss(),
    "variation": TotalVariationLoss(),
    "edges": GradientMatchingLoss(scales=2),
    "frequencies": FocalFrequencyLoss(),
}


@pytest.mark.parametrize("several_scales", [False, True])
@pytest.mark.parametrize("weighting", [None, UncertaintyWeighting, GradNorm, partial(MatchedGradients, reference="l1")])
def test_every_term_trains_under_every_kind_of_weighting(several_scales: bool, weighting: Any, tmp_path: Path) -> None:
    model = small_model(norm="none", terms=EVERYTHING, weights={"variation": 0.1}, weighting=weighting)
    if several_scales:
        judge = MultiScaleDiscriminator(6, 4, layers=1, norm="none", scales=2)
        model = Pix2Pix(
            UNetGenerator(base_channels=4, levels=3, norm="none"), judge, terms=EVERYTHING, weighting=weighting
        )
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trainer = quiet_trainer(max_steps=2)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    logged = trainer.callback_metrics
    assert {f"train/G_{name}" for name in ("gan", "l1", *EVERYTHING)} <= logged.keys()
    assert all(
        value.isfinite() for name, value in logged.items() if not name.startswith(("target_norm", "training_rate"))
    )
    assert (weighting is None) == ("weight/ssim" not in logged)
    for network in "generator", "discriminator":
        moved = [
            name
            for name, tensor in model.state_dict().items()
            if name.startswith(network) and not torch.equal(before[name], tensor)
        ]
        assert moved, network


def test_gradnorm_measures_the_terms_at_the_generators_last_layer(tmp_path: Path) -> None:
    """Its norms are those of autograd, a backward pass for each term."""
    torch.manual_seed(0)
    model = small_model(
        norm="none", terms={"features": FeatureMatchingLoss()}, weighting=GradNorm, lambda_l1=3.0
    ).double()
    start = small_model(norm="none").double()
    start.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("objective")})
    trainer = quiet_trainer(max_steps=1, precision="64-true")
    trainer.fit(model, datamodule=small_data(tmp_path / "data", color_jitter=0.0))
    batch = next(iter(small_data(tmp_path / "data", color_jitter=0.0).train_dataloader()))
    x, y = batch["input"].double(), batch["target"].double()
    made = start.generator(x)
    judge = model.discriminator  # as it was in G's part of the step
    seen, real = (judge.features(torch.cat([x, each], 1)) for each in (made, y))
    losses = {
        "gan": model.adversary.generator_loss(seen, True, for_discriminator=False),
        "l1": 3 * L1Loss()(made, y),
        "features": FeatureMatchingLoss()(seen, real),
    }
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, start.generator.last_weight, retain_graph=True)
        assert_close(trainer.callback_metrics[f"gradient_norm/{name}"].double(), gradient.norm(), rtol=1e-6, atol=0)


def test_focal_loss_is_no_loss_of_pictures(tmp_path: Path) -> None:
    """What a loss cannot take it refuses itself, by name."""
    model = small_model(terms={"focal": FocalLoss()})
    with pytest.raises((TypeError, ValueError), match="target"):
        quiet_trainer(max_steps=1).fit(model, datamodule=small_data(tmp_path / "data"))
