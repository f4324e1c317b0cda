"""What every loss promises, run over all of them."""

import copy
import inspect
import re
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

import losses
from losses.convention import Loss
from tests.losses.catalogue import CASES, SNAKE_CASE, Case, FeatureMatchingOfOneLayer, Inputs, loss_of

TAKE_LISTS = {"CurriculumLoss", "FeatureMatchingLoss", "GANLoss", "RelativisticGANLoss"}
every_loss = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    return tuple(x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs)


def trained(case: Case, inputs: Inputs) -> tuple[Inputs, list[Tensor]]:
    """The inputs with copies of the predictions that take a gradient, and these."""
    inputs = tuple(
        x.detach().clone().requires_grad_() if place in case.predictions else x for place, x in enumerate(inputs)
    )
    return inputs, [inputs[place] for place in case.predictions]


def assert_finite_and_attached(loss: Tensor, predictions: list[Tensor]) -> None:
    assert loss.isfinite().all()
    loss.sum().backward()
    for prediction in predictions:
        assert prediction.grad is not None
        assert prediction.grad.isfinite().all()


def test_the_catalogue_is_whole() -> None:
    modules = {
        name for name in losses.__all__ if inspect.isclass(value := getattr(losses, name)) and issubclass(value, Loss)
    }
    assert modules == SNAKE_CASE.keys() == {case.name.partition(" ")[0] for case in CASES}


@pytest.mark.parametrize("name", ["BCELoss", "KLDivLoss", "TripletMarginLoss", "CosineEmbeddingLoss", "CTCLoss"])
def test_losses_that_need_no_change_are_torchs(name: str) -> None:
    assert getattr(losses, name) is getattr(nn, name)


@every_loss
def test_options_are_keywords(case: Case) -> None:
    functions = [case.function] if case.function and case.function.__module__.startswith("losses") else []
    for callable_ in [*functions, getattr(losses, case.name.partition(" ")[0]).__init__]:
        for parameter in inspect.signature(callable_).parameters.values():
            if parameter.default is not inspect.Parameter.empty and "GANLoss" not in case.name:
                assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, parameter


@every_loss
def test_reductions(case: Case) -> None:
    inputs = case.inputs()
    values = {name: loss_of(case.build(reduction=name)(*inputs)) for name in ("none", "mean", "sum")}
    assert values["mean"].shape == values["sum"].shape == ()
    assert values["none"].dim() > 0
    if case.sum_of_none:
        assert_close(values["none"].sum(), values["sum"])
    with pytest.raises(ValueError, match="reduction must be one of none, mean, sum; got 'batchmean'"):
        case.build(reduction="batchmean")
    if case.function:
        for name, value in values.items():
            assert_close(case.call(*inputs, reduction=name), value)
        with pytest.raises(ValueError, match="reduction must be one of none, mean, sum; got 'avg'"):
            case.call(*inputs, reduction="avg")


@every_loss
def test_a_shape_mismatch_is_refused_with_both_shapes(case: Case) -> None:
    inputs = case.inputs()
    tensors = [place for place, x in enumerate(inputs) if isinstance(x, Tensor)]
    if len(tensors) < 2:
        return  # the GAN's prediction, or a picture that is to be smooth, stands alone
    for place in tensors:
        x = inputs[place]
        for wrong in x[:1], x[:, None], torch.cat([x, x]):
            changed = tuple(wrong if i == place else other for i, other in enumerate(inputs))
            with pytest.raises(ValueError, match=re.escape(str(tuple(wrong.shape)))) as refused:
                case.build()(*changed)
            others = [str(tuple(inputs[i].shape)) for i in tensors if i != place]
            assert any(shape in str(refused.value) for shape in others)


@every_loss
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_an_empty_batch_costs_nothing_and_has_a_gradient(case: Case, reduction: str) -> None:
    inputs = tuple(x[:0] if isinstance(x, Tensor) else x for x in case.inputs())
    inputs, predictions = trained(case, inputs)
    loss = loss_of(case.build(reduction=reduction)(*inputs))
    assert_finite_and_attached(loss, predictions)
    assert loss.sum() == 0


@every_loss
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_where_nothing_counts_the_loss_is_zero_and_has_a_gradient(case: Case, reduction: str) -> None:
    if case.nothing is None:
        return  # every element counts
    inputs, options = case.nothing(case.inputs())
    inputs, predictions = trained(case, inputs)
    loss = loss_of(case.build(reduction=reduction)(*inputs, **options))
    assert_finite_and_attached(loss, predictions)
    assert (loss == 0).all()
    for prediction in predictions:
        assert prediction.grad is not None
        assert (prediction.grad == 0).all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_is_computed_in_float32(case: Case, dtype: torch.dtype, autocast: bool) -> None:
    half = cast(case.inputs(), dtype)
    loss = case.build()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        value = loss_of(loss(*half))
    assert value.dtype == torch.float32
    assert_close(value, loss_of(loss(*cast(half, torch.float32))), rtol=0, atol=0)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_casting_a_model_leaves_its_losses_digits_alone(case: Case, dtype: torch.dtype) -> None:
    """``model.half()`` reaches the loss, too, whose labels and weights would lose all but two or three digits."""
    inputs = cast(case.inputs(), torch.float32)
    assert_close(loss_of(case.build().to(dtype)(*inputs)), loss_of(case.build()(*inputs)), rtol=0, atol=0)


@every_loss
def test_a_default_dtype_of_half_precision_leaves_the_digits_alone(case: Case) -> None:
    """Trainers set it where the whole model is in half precision, while modules are built and while they run."""
    inputs = cast(case.inputs(), torch.float32)
    expected = loss_of(case.build()(*inputs))
    torch.set_default_dtype(torch.bfloat16)
    try:
        value = loss_of(case.build()(*inputs))
    finally:
        torch.set_default_dtype(torch.float32)
    assert_close(value, expected, rtol=0, atol=0)


@every_loss
def test_float64_stays(case: Case) -> None:
    assert loss_of(case.build().double()(*case.inputs())).dtype == torch.float64


@every_loss
def test_huge_predictions_give_finite_losses_and_gradients(case: Case) -> None:
    inputs = cast(case.inputs(), torch.float32)
    if case.extreme is not None:
        extremes = cast_all(case.extreme(inputs))
    else:
        signs = [torch.sign, lambda x: torch.ones_like(x), lambda x: -torch.ones_like(x)]
        extremes = [
            tuple(1e4 * sign(x) if place in case.predictions else x for place, x in enumerate(inputs)) for sign in signs
        ]
    for extreme in extremes:
        extreme, predictions = trained(case, extreme)
        assert_finite_and_attached(loss_of(case.build()(*extreme)), predictions)


def cast_all(many: list[Inputs]) -> list[Inputs]:
    return [cast(inputs, torch.float32) for inputs in many]


@every_loss
def test_non_contiguous_inputs(case: Case) -> None:
    inputs = case.inputs()
    strided = tuple(torch.stack([x, x], -1)[..., 0] if isinstance(x, Tensor) else x for x in inputs)
    assert all(not x.is_contiguous() for x in strided if isinstance(x, Tensor))
    loss = case.build().double()
    assert_close(loss_of(loss(*strided)), loss_of(loss(*inputs)))


@every_loss
@pytest.mark.slow
def test_gradients_and_their_gradients_are_right(case: Case) -> None:
    if not case.exact_gradient:
        return
    loss = case.build().double()
    inputs = case.inputs()

    def of_predictions(*predictions: Tensor) -> Tensor:
        changed: list[Any] = list(inputs)
        for place, prediction in zip(case.predictions, predictions, strict=True):
            changed[place] = prediction
        return loss_of(loss(*changed))

    predictions = tuple(inputs[place].clone().requires_grad_() for place in case.predictions)
    assert torch.autograd.gradcheck(of_predictions, predictions)
    assert torch.autograd.gradgradcheck(of_predictions, predictions)


@every_loss
@pytest.mark.slow
def test_compiles_to_one_graph(case: Case) -> None:
    loss, inputs = case.build(), cast(case.inputs(), torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile itself
        compiled = torch.compile(loss, backend="eager", fullgraph=True)
        assert_close(loss_of(compiled(*inputs)), loss_of(loss(*inputs)))
    torch._dynamo.reset()


@every_loss
def test_no_value_is_read_back_from_the_device(case: Case) -> None:
    """Tensors without values cannot be read: ``.item()`` or a branch on a value would raise."""
    takes_validate = "validate" in inspect.signature(getattr(losses, case.name.partition(" ")[0])).parameters
    loss = case.build(**{"validate": False} if takes_validate else {})
    with FakeTensorMode(allow_non_fake_inputs=True) as without_values:
        inputs = tuple(without_values.from_tensor(x) if isinstance(x, Tensor) else x for x in case.inputs())
        inputs, _ = trained(case, inputs)
        loss_of(loss.double()(*inputs)).backward()


@every_loss
def test_the_meta_device(case: Case) -> None:
    """Tensors without memory, in which shapes are tried out: there are no values to validate."""
    inputs = tuple(x.to("meta") if isinstance(x, Tensor) else x for x in case.inputs())
    loss = case.build().to("meta")
    assert loss_of(loss(*inputs)).device.type == "meta"
    assert repr(loss)


@every_loss
def test_on_a_device_as_in_float64_on_the_cpu(case: Case, device: torch.device) -> None:
    """Value, gradients, dtype and place, where torch allows TF32 in convolutions: that is its default on a GPU."""
    loss = case.build()
    tolerance = 1e-2 if device.type == "cuda" and case.name.startswith("PerceptualLoss") else 1e-4  # has a network
    wide, of_wide = trained(case, case.inputs())
    expected = loss_of(copy.deepcopy(loss).double()(*wide))
    expected.backward()
    narrow, of_narrow = trained(case, on(cast(case.inputs(), torch.float32), device))
    value = loss_of(loss.to(device)(*narrow))
    value.backward()
    assert (value.device.type, value.dtype) == (device.type, torch.float32)
    assert_close(value.cpu().double(), expected, rtol=tolerance, atol=1e-6)
    for mine, exact in zip(of_narrow, of_wide, strict=True):
        assert mine.grad is not None
        assert exact.grad is not None
        assert mine.grad.device.type == device.type
        assert (mine.grad.cpu() - exact.grad).norm() <= tolerance * exact.grad.norm() + 1e-6


def on(inputs: Inputs, device: torch.device) -> Inputs:
    return tuple(x.to(device) if isinstance(x, Tensor) else x for x in inputs)


@every_loss
def test_lists_in_place_of_tensors_are_refused_by_name(case: Case) -> None:
    inputs, name = case.inputs(), case.name.partition(" ")[0]
    for place, x in enumerate(inputs):
        if isinstance(x, Tensor) and name not in TAKE_LISTS:
            changed = tuple(x.tolist() if i == place else other for i, other in enumerate(inputs))
            with pytest.raises(TypeError, match=r"\w+ must be a tensor; got list") as refused:
                case.build()(*changed)
            called = list(inspect.signature(case.build().forward).parameters)[place]
            assert str(refused.value).startswith(called), str(refused.value)


@every_loss
def test_options_are_shown_and_not_saved(case: Case) -> None:
    loss = case.build()
    assert "reduction='mean'" in repr(loss)
    learned = {
        "CurriculumLoss": {"epoch"},
        "LeCamPenalty": {"real_anchor", "fake_anchor"},
        "PerceptualLoss learned": {"log_variances"},
    }
    assert loss.state_dict().keys() == learned.get(case.name, set())


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.module is not FeatureMatchingOfOneLayer], ids=lambda case: case.name
)
def test_a_recipe_and_other_options_keep_what_is_not_named(case: Case) -> None:
    """A loss that is built again from its options, or with another reduction, has the value of the first."""
    loss = case.build()
    assert isinstance(loss, Loss)
    expected = loss_of(loss(*case.inputs()))
    for again in type(loss)(**loss.recipe()["init_args"]), loss.with_options(reduction="mean"):
        if not case.name.startswith("PerceptualLoss"):  # whose network is random in these tests
            assert_close(loss_of(again(*case.inputs())), expected)
        assert again.recipe()["init_args"].keys() == loss.recipe()["init_args"].keys()
