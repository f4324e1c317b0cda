import copy

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses.figures.surface import filter_normalized_directions, loss_surface

INPUT = torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).double()


def squares(model: nn.Module) -> Tensor:
    return model(INPUT.double()).square().mean()


def test_every_filter_of_a_direction_is_as_long_as_the_models_and_vectors_do_not_move() -> None:
    model = network()
    for direction in filter_normalized_directions(model, torch.Generator().manual_seed(0)):
        assert direction.keys() == dict(model.named_parameters()).keys()
        for name, weight in model.named_parameters():
            assert (direction[name].shape, direction[name].dtype) == (weight.shape, weight.dtype)
            expected = weight.detach().flatten(1).norm(dim=1) if weight.dim() > 1 else torch.zeros(len(weight))
            lengths = direction[name].flatten(1).norm(dim=1) if weight.dim() > 1 else direction[name].abs()
            assert_close(lengths, expected.double())


def test_directions_differ_from_each_other_and_come_from_the_seed() -> None:
    model = network()
    first, second = filter_normalized_directions(model, torch.Generator().manual_seed(0))
    again, _ = filter_normalized_directions(model, torch.Generator().manual_seed(0))
    other, _ = filter_normalized_directions(model, torch.Generator().manual_seed(1))
    assert_close(first, again, rtol=0, atol=0)
    for name in ("0.weight", "4.weight"):
        for unlike in (second, other):
            cosine = nn.functional.cosine_similarity(first[name].flatten(), unlike[name].flatten(), dim=0)
            assert cosine.abs() < 0.5


def test_a_filter_of_zeros_stays_zero_and_a_half_precision_one_is_finite() -> None:
    linear = nn.Linear(1000, 2).to(torch.float16)
    nn.init.constant_(linear.weight, 3000)  # the length of a filter overflows float16
    with torch.no_grad():
        linear.weight[1] = 0
    direction, _ = filter_normalized_directions(linear, torch.Generator().manual_seed(0))
    assert_close(direction["weight"].float().norm(dim=1), torch.tensor([3000 * 1000**0.5, 0.0]), rtol=1e-3, atol=0)


def test_the_surface_of_a_quadratic_is_the_polynomial_of_its_directions() -> None:
    model = nn.Linear(3, 2).double()
    offsets, values = loss_surface(model, lambda model: model.weight.square().sum(), extent=0.6, steps=7, seed=3)
    assert_close(offsets, torch.tensor([-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6], dtype=torch.float64))
    first, second = filter_normalized_directions(model, torch.Generator().manual_seed(3))
    weight, d, e = model.weight.detach(), first["weight"], second["weight"]
    b, a = torch.meshgrid(offsets, offsets, indexing="ij")  # rows move along the second direction
    products = {"wd": (weight * d).sum(), "we": (weight * e).sum(), "de": (d * e).sum()}
    length = weight.square().sum()  # of the directions, too: that is what normalising is for
    expected = length * (1 + a**2 + b**2) + 2 * (a * products["wd"] + b * products["we"] + a * b * products["de"])
    assert_close(values, expected)


def test_the_middle_is_the_models_own_loss() -> None:
    model = network().eval()
    _, values = loss_surface(model, squares, steps=5)
    assert values[2, 2].item() == squares(model).item()
    assert len(values.unique()) == 25


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_model_ends_as_it_began(training: bool, fails: bool) -> None:
    model, calls = network().train(training), []

    def loss(model: nn.Module) -> Tensor:
        value = squares(model.train())
        model.eval()
        calls.append(value)
        if fails and len(calls) == 3:
            raise ZeroDivisionError
        return value

    before, tensors = copy.deepcopy(model.state_dict()), [*model.parameters(), *model.buffers()]
    if fails:
        with pytest.raises(ZeroDivisionError):
            loss_surface(model, loss, steps=3)
    else:
        loss_surface(model, loss, steps=3)
    assert len(calls) == (3 if fails else 9)
    assert not any(value.requires_grad for value in calls)  # no graph of the parameters
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert all(now is then for now, then in zip([*model.parameters(), *model.buffers()], tensors, strict=True))
    assert all(module.training is training for module in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_every_point_begins_with_the_models_buffers_and_mode() -> None:
    model, seen = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)), []

    def loss(model: nn.Module) -> Tensor:
        seen.append((model.training, model[1].num_batches_tracked.item()))
        value = model(torch.ones(3, 4)).sum()
        model.eval()
        return value

    loss_surface(model, loss, steps=3)
    assert seen == [(True, 0)] * 9


def test_random_numbers_are_the_same_at_every_point_and_the_callers_go_on() -> None:
    model = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    state, drawn = torch.get_rng_state(), []

    def loss(model: nn.Module) -> Tensor:
        drawn.append(torch.rand(1).item())
        return model(torch.ones(1, 4)).sum()

    loss_surface(model, loss, steps=3)
    assert len(set(drawn)) == 1
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_in_use_twice_and_a_model_that_the_loss_holds_itself_move() -> None:
    tied = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    tied[1].weight = tied[0].weight
    _, values = loss_surface(tied, lambda _: (tied[0].weight - tied[1].weight).abs().sum(), steps=3)
    assert_close(values, torch.zeros(3, 3, dtype=torch.float64))
    _, values = loss_surface(tied, lambda _: tied[1].weight.sum(), steps=3)
    assert len(values.unique()) == 9


def test_a_loss_may_differentiate_by_its_input() -> None:
    def gradient_penalty(model: nn.Module) -> Tensor:
        input = torch.ones(1, 3, requires_grad=True)
        return torch.autograd.grad(model(input).sum(), input)[0].square().sum()

    model = nn.Linear(3, 1)
    _, values = loss_surface(model, gradient_penalty, steps=3)
    assert values[1, 1].item() == pytest.approx(model.weight.square().sum().item())


def test_bad_options_end_in_a_sentence() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"steps must be odd and at least 3, .*; got 4"):
        loss_surface(model, squares, steps=4)
    with pytest.raises(ValueError, match="extent must be a finite number above 0; got 0"):
        loss_surface(model, squares, extent=0)
    with pytest.raises(ValueError, match=r"loss must give one number; got the shape \(2,\)"):
        loss_surface(model, lambda model: model(torch.ones(2)), steps=3)
    with pytest.raises(ValueError, match="nothing can move"):
        loss_surface(nn.BatchNorm1d(3), squares)
