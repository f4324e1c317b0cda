import math
import re
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounter
from torch.nn import functional as F
from torch.testing import assert_close

from losses import GANLoss, gan_loss

MODES = ["vanilla", "lsgan", "wgan", "hinge"]
# D on real, D on fake, G; by hand at x = 2, from the table in the docstring.
AT_TWO = {
    "vanilla": (math.log1p(math.exp(-2)), math.log1p(math.exp(2)), math.log1p(math.exp(-2))),
    "lsgan": (1.0, 4.0, 1.0),
    "wgan": (-2.0, 2.0, -2.0),
    "hinge": (0.0, 3.0, -2.0),
}


@pytest.mark.parametrize("mode", MODES)
def test_values_by_hand(mode: str) -> None:
    loss, x = GANLoss(mode), torch.full((2, 1, 3, 3), 2.0, dtype=torch.float64)
    real, fake, generator = AT_TWO[mode]
    assert loss(x, True).item() == pytest.approx(real, rel=1e-12)
    assert loss(x, False).item() == pytest.approx(fake, rel=1e-12)
    assert loss(x, True, for_discriminator=False).item() == pytest.approx(generator, rel=1e-12)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_vanilla_and_lsgan_are_torchs_losses_against_the_labels(
    scores: list[float], real: bool, real_label: float, fake_label: float
) -> None:
    x = torch.tensor(scores, dtype=torch.float64)
    target = torch.full_like(x, torch.tensor(real_label if real else fake_label).item())
    vanilla, lsgan = (GANLoss(mode, real_label, fake_label)(x, real) for mode in ("vanilla", "lsgan"))
    assert_close(vanilla, F.binary_cross_entropy_with_logits(x, target))
    assert_close(lsgan, F.mse_loss(x, target))


def test_labels_have_the_shape_dtype_and_device_of_the_prediction() -> None:
    loss = GANLoss("vanilla", real_label=0.9, fake_label=0.1)
    prediction = torch.zeros(2, 1, 5, 7, dtype=torch.bfloat16, device="meta")
    assert loss.get_labels(prediction, True).shape == (2, 1, 5, 7)
    assert loss.get_labels(prediction, True).dtype == torch.bfloat16
    assert loss.get_labels(prediction, True).device.type == "meta"
    prediction = torch.zeros(3, 2)
    assert_close(loss.get_labels(prediction, True), torch.full((3, 2), 0.9))
    assert_close(loss.get_labels(prediction, False), torch.full((3, 2), 0.1))


def test_labels_move_with_the_module_and_are_not_in_the_state_dict() -> None:
    loss = GANLoss("lsgan", real_label=0.9)
    assert loss.state_dict() == {}
    assert dict(loss.named_buffers()).keys() == {"real_label", "fake_label"}
    assert loss.to("meta").real_label.device.type == "meta"


@pytest.mark.parametrize("mode", MODES)
def test_scales_are_averaged_with_equal_weight_whatever_their_size(mode: str) -> None:
    loss, large, small = GANLoss(mode), torch.randn(2, 1, 8, 8), torch.randn(2, 1, 3, 3)
    assert_close(loss([large, small], False), (loss(large, False) + loss(small, False)) / 2)
    assert_close(loss((large,), True), loss(large, True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("autocast", [False, True])
def test_computed_in_at_least_float32_also_under_autocast(mode: str, dtype: torch.dtype, autocast: bool) -> None:
    loss, x = (
        GANLoss(mode),
        torch.randn(2, 1, 300, 300).to(dtype),
    )  # 180,000 elements: a float16 sum overflows
    x = x.abs() + 1
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        value = loss(x, False)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert_close(value.double(), loss(x.double(), False), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("real", "for_discriminator"), [(True, True), (False, True), (True, False)])
def test_extreme_scores_and_no_scores_give_finite_losses_and_gradients(
    mode: str, real: bool, for_discriminator: bool
) -> None:
    loss = GANLoss(mode)
    for x in torch.tensor([1e4, -1e4, 0.0]), torch.empty(0, 1, 4, 4):
        x.requires_grad_()
        value = loss(x, real, for_discriminator=for_discriminator)
        value.backward()
        assert value.isfinite()
        assert x.grad is not None
        assert x.grad.isfinite().all()
    assert value == 0


@pytest.mark.parametrize("mode", MODES)
def test_gradients_and_their_gradients_are_right(mode: str) -> None:
    loss, x = GANLoss(mode), torch.randn(3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    for real, for_discriminator in ((True, True), (False, True), (True, False)):
        function = lambda x: loss(x, real, for_discriminator=for_discriminator)  # noqa: B023, E731
        assert torch.autograd.gradcheck(function, x)
        assert torch.autograd.gradgradcheck(function, x)


@pytest.mark.parametrize("mode", MODES)
def test_compiles_to_one_graph_and_takes_non_contiguous_predictions(mode: str) -> None:
    loss, x = GANLoss(mode), torch.randn(2, 3, 4, 5).permute(3, 1, 0, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile itself
        compiled = torch.compile(loss, backend="eager", fullgraph=True)
        assert_close(compiled(x, False), loss(x.contiguous(), False))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_an_ordinary_training_stays_compiled(mode: str) -> None:
    """Three calls a step, a smaller last batch, and a validation without gradients: at most eight graphs."""
    counter = CompileCounter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile itself
        loss = torch.compile(GANLoss(mode), backend=counter, fullgraph=True)
        for size in 4, 4, 3, 4, 4, 3:
            x = torch.randn(size, 1, 5, 5, requires_grad=True)
            loss(x, True)
            loss(x, False)
            loss(x, True, for_discriminator=False)
        with torch.no_grad():
            for size in 4, 2:
                loss(torch.randn(size, 1, 5, 5), True)
                loss(torch.randn(size, 1, 5, 5), False)
                if mode != "hinge":
                    loss(torch.randn(size, 1, 5, 5), True, for_discriminator=False)
    assert counter.frame_count <= (8 if mode == "hinge" else 6)
    torch._dynamo.reset()


@pytest.mark.parametrize("mode", MODES)
def test_a_generator_that_follows_its_loss_fools_the_discriminator(mode: str) -> None:
    """Descent on G's loss raises D's score of a fake; descent on D's lowers it."""
    loss, score = GANLoss(mode), torch.full((1,), 0.5, requires_grad=True)
    (for_generator,) = torch.autograd.grad(loss(score, True, for_discriminator=False), score)
    (for_discriminator,) = torch.autograd.grad(loss(score, False), score)
    assert for_generator < 0 < for_discriminator


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "wgangp"}, "mode must be one of vanilla, lsgan, wgan, hinge; got 'wgangp'"),
        ({"real_label": 1.1}, "real_label must be in"),
        ({"fake_label": float("nan")}, "fake_label must be in"),
        ({"mode": "lsgan", "real_label": float("inf")}, "real_label must be a finite number"),
        ({"mode": "hinge", "real_label": 0.9}, "real_label has no meaning in mode hinge"),
        ({"mode": "wgan", "fake_label": -1.0}, "fake_label has no meaning in mode wgan"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GANLoss(**options)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("wgangp", "wgan, with gradient_penalty in the discriminator's loss"),
        ("wgan-gp", "wgan, with gradient_penalty in the discriminator's loss"),
        ("bce", "vanilla"),
        ("LSGAN", "lsgan"),
        ("ls_gan", "lsgan"),
        ("least-squares", "lsgan"),
        ("MSE", "lsgan"),
        ("Hinge", "hinge"),
    ],
)
def test_modes_that_have_another_name_elsewhere_are_told_theirs(theirs: Any, ours: str) -> None:
    message = re.escape(f"mode must be one of vanilla, lsgan, wgan, hinge; got {theirs!r}, which is {ours} here")
    with pytest.raises(ValueError, match=f"^{message}$"):
        GANLoss(theirs)
    with pytest.raises(ValueError, match=f"^{message}$"):
        gan_loss(torch.zeros(1), torch.zeros(1), True, mode=theirs)


def test_options_and_methods_that_have_another_name_elsewhere_are_told_theirs() -> None:
    for theirs, ours in ("gan_mode", "mode"), ("target_real_label", "real_label"), ("target_fake_label", "fake_label"):
        options: dict[str, Any] = {theirs: 1.0}
        with pytest.raises(TypeError, match=f"^GANLoss has no option {theirs}: it is {ours} here$"):
            GANLoss(**options)
    with pytest.raises(AttributeError, match=r"^GANLoss has no get_target_tensor: it is get_labels here$"):
        GANLoss().get_target_tensor  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'labels'"):
        GANLoss().labels  # noqa: B018


def test_feature_maps_of_each_scale_are_passed_over_for_its_score() -> None:
    """What the discriminators of pix2pixHD return: a list for each scale, of feature maps and last the score."""
    loss, scores = GANLoss("lsgan"), [torch.randn(2, 1, size, size) for size in (8, 4)]
    nested = [[torch.randn(2, 16, 9, 9), torch.randn(2, 32, 9, 9), score] for score in scores]
    assert torch.equal(loss(nested, True), loss(scores, True))
    with pytest.raises(ValueError, match="prediction must hold tensors, or lists that end in one; got an empty list"):
        loss([[], scores], True)


@pytest.mark.parametrize("wrong", ["fake", 1, None, torch.tensor(True)])
def test_real_or_fake_is_a_boolean(wrong: Any) -> None:
    """Any word, "fake" too, would count as true."""
    x = torch.zeros(2)
    for call in (
        lambda: GANLoss("hinge")(x, wrong),
        lambda: GANLoss().get_labels(x, wrong),
        lambda: gan_loss(x, x, wrong),
    ):
        with pytest.raises(TypeError, match="target_is_real must be True or False; got "):
            call()


def test_bad_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="got a sequence of 0"):
        GANLoss()([], True)
    with pytest.raises(ValueError, match="target_is_real must be True"):
        GANLoss("hinge")(torch.zeros(1), False, for_discriminator=False)


def test_reductions() -> None:
    x, y = torch.randn(2, 1, 3, 3), torch.randn(2, 1, 5, 5)
    each = GANLoss("hinge", reduction="none")(x, False)
    assert_close(each, F.relu(1 + x))
    total = GANLoss("hinge", reduction="sum")
    assert_close(total(x, False), each.sum())
    assert_close(total([x, y], False), (total(x, False) + total(y, False)) / 2)
    with pytest.raises(ValueError, match="just one with reduction none; got a sequence of 2"):
        GANLoss(reduction="none")([x, y], True)


def test_bfloat16_predictions_meet_the_label_itself() -> None:
    """0.9 in bfloat16 would be 0.8984."""
    x = torch.zeros(4, dtype=torch.bfloat16)
    assert_close(GANLoss("lsgan", real_label=0.9)(x, True), torch.tensor(0.81))


def test_shows_its_options() -> None:
    assert repr(GANLoss("lsgan", 0.9)) == "GANLoss(mode='lsgan', real_label=0.9, fake_label=0, reduction='mean')"
