import itertools
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses import gradient_penalty


class Linear(nn.Module):
    """D(x) = w . x for every sample: its gradient is w everywhere, so each penalty has a closed form."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight).flatten(1).sum(1)


def test_penalties_of_a_linear_critic_by_hand() -> None:
    critic, x = Linear(torch.tensor([3.0, 4.0], dtype=torch.float64)), torch.randn(6, 2, dtype=torch.float64)
    assert gradient_penalty(critic, x, x + 1).item() == pytest.approx(10 * (5 - 1) ** 2)
    assert gradient_penalty(critic, x, x + 1, center=0, weight=1).item() == pytest.approx(25)
    assert gradient_penalty(critic, x, kind="r1").item() == pytest.approx(10 / 2 * 25)
    assert gradient_penalty(critic, x, x + 1, kind="r2").item() == pytest.approx(10 / 2 * 25)


def test_the_norm_is_of_each_sample_over_all_its_dimensions() -> None:
    """Not one norm for the batch, not a norm over the channels: pictures whose gradients differ in size."""
    x = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    critic = lambda x: 0.5 * x.square().flatten(1).sum(1)  # its gradient at x is x  # noqa: E731
    norms = x.flatten(1).norm(dim=1)
    assert_close(gradient_penalty(critic, x, x), 10 * (norms - 1).square().mean())
    assert_close(gradient_penalty(critic, x, kind="r1", weight=2.0), norms.square().mean())
    assert_close(gradient_penalty(critic, x, 3 * x, kind="r2", weight=2.0), 9 * norms.square().mean())


def test_each_sample_is_interpolated_by_a_number_of_its_own() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    gradient_penalty(critic, torch.ones(64, 3, 4, 4), torch.zeros(64, 3, 4, 4))
    alpha = seen[0].flatten(1)
    assert (alpha == alpha[:, :1]).all()  # one number inside a sample ...
    assert len(alpha[:, 0].unique()) == 64  # ... another in each
    assert 0 <= alpha.min() < 0.2 < 0.8 < alpha.max() <= 1


def test_a_map_of_scores_counts_as_its_mean() -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    patches = nn.Conv2d(3, 1, 4, stride=2, dtype=torch.float64)
    mean = lambda x: patches(x).mean((1, 2, 3))  # noqa: E731
    assert_close(gradient_penalty(patches, x, x), gradient_penalty(mean, x, x))


@pytest.mark.parametrize("kind", ["wgan-gp", "r1", "r2"])
def test_the_penalty_teaches_the_critic_alone(kind: str) -> None:
    critic = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 1))
    real, fake = (torch.randn(5, 3, requires_grad=True) for _ in range(2))
    gradient_penalty(critic, real, fake, kind=kind).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (critic[0].weight, critic[2].weight))
    assert real.grad is None
    assert fake.grad is None


@pytest.mark.parametrize("kind", ["wgan-gp", "r1", "r2"])
def test_penalty_gradients_agree_with_finite_differences(kind: str) -> None:
    x, weights = torch.randn(4, 3, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)

    def penalty(weights: Tensor) -> Tensor:
        return gradient_penalty(lambda x: (x @ weights).tanh(), x, x, kind=kind)

    assert torch.autograd.gradcheck(penalty, weights.requires_grad_())


def test_a_critic_without_slope_and_a_batch_without_samples_are_finite() -> None:
    critic = Linear(torch.zeros(3))
    for kind, samples in itertools.product(("wgan-gp", "r1", "r2"), (2, 0)):
        penalty = gradient_penalty(critic, torch.randn(samples, 3), torch.randn(samples, 3), kind=kind)
        assert penalty.isfinite()
        if samples:
            penalty.backward()
            assert critic.weight.grad is not None
            assert critic.weight.grad.isfinite().all()
        else:
            assert penalty == 0


def test_penalty_is_float32_under_autocast() -> None:
    critic, x = nn.Linear(3, 1), torch.randn(4, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = gradient_penalty(critic, x.bfloat16(), kind="r1")
    assert low.dtype == torch.float32
    assert_close(low, gradient_penalty(critic, x, kind="r1"))  # a linear critic's gradient is its weight


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["wgan-gp", "r1", "r2"])
def test_a_critic_of_half_precision_sees_samples_of_its_own(dtype: torch.dtype, kind: str) -> None:
    critic, x = nn.Linear(3, 1), torch.randn(4, 3)
    expected = gradient_penalty(critic, x, x, kind=kind)
    critic.to(dtype)
    for penalty in (
        gradient_penalty(critic, x, x, kind=kind),  # a module says what it takes
        gradient_penalty(lambda x: critic(x), x.to(dtype), x, kind=kind),  # a function takes what it is given
    ):
        assert penalty.dtype == torch.float32
        assert_close(penalty, expected, rtol=2e-2, atol=0)  # the weights are rounded
        critic.zero_grad()
        penalty.backward()
        assert critic.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["wgan-gp", "r1", "r2"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_penalty_to_look_at_needs_no_gradients(kind: str, mode: Any) -> None:
    critic, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), torch.randn(4, 3)
    expected = gradient_penalty(critic, x, x, kind=kind)
    with mode():
        penalty = gradient_penalty(critic, x.clone(), x.clone(), kind=kind)
    assert torch.equal(penalty, expected)
    assert not penalty.requires_grad


def test_a_penalty_inside_torchs_function_transforms() -> None:
    critic, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1, bias=False)), torch.randn(4, 3)
    of_scales = lambda scores: [scores, 2 * scores]  # noqa: E731

    def penalty(parameters: dict[str, Tensor]) -> Tensor:
        return gradient_penalty(lambda x: of_scales(torch.func.functional_call(critic, parameters, (x,))), x, kind="r1")

    gradients = torch.func.grad(penalty)(dict(critic.named_parameters()))
    gradient_penalty(lambda x: of_scales(critic(x)), x, kind="r1").backward()
    for name, parameter in critic.named_parameters():
        assert_close(gradients[name], parameter.grad)


@pytest.mark.parametrize("form", [lambda critic: critic, lambda critic: partial(critic), lambda critic: critic.forward])
def test_batch_norm_in_the_critic_draws_a_warning_and_learns_nothing(form: Any) -> None:
    critic = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    before = {name: value.clone() for name, value in critic.named_buffers()}
    with pytest.warns(UserWarning, match="couples the samples"):
        gradient_penalty(form(critic), torch.randn(4, 3), kind="r1")
    for name, value in critic.named_buffers():
        assert torch.equal(value, before[name]), name
    critic(torch.randn(4, 3))
    assert critic[1].num_batches_tracked == 1  # later passes are counted again


def test_batch_norm_that_the_critic_does_not_use_draws_no_warning() -> None:
    """A method of a model that has a generator, too, whose batch normalization is none of the critic's business."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.discriminator = nn.BatchNorm1d(3), nn.Linear(6, 1)

        def judge(self, condition: Tensor, x: Tensor) -> Tensor:
            return self.discriminator(torch.cat([condition, x], 1))

    x = torch.randn(4, 3)
    gradient_penalty(partial(Model().judge, x), x, kind="r1")


def test_batch_norm_in_evaluation_does_not_couple_the_samples() -> None:
    critic, x = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).eval(), torch.randn(4, 3)
    assert_close(gradient_penalty(critic, x, kind="r1"), gradient_penalty(critic[1], x, kind="r1"), rtol=1e-4, atol=0)


def test_patches_count_as_their_mean_or_their_sum() -> None:
    """The gradient of the sum is that of the mean times the number of scores, 30 x 30 for a PatchGAN at 256 x 256."""
    x, patches = torch.randn(2, 3, 8, 8, dtype=torch.float64), nn.Conv2d(3, 1, 4, stride=2, dtype=torch.float64)
    mean, total = (gradient_penalty(patches, x, kind="r1", scores=scores) for scores in ("mean", "sum"))
    assert_close(total, (3 * 3) ** 2 * mean)
    assert torch.equal(gradient_penalty(patches, x, kind="r1"), mean)
    by_sum = gradient_penalty(patches, x, x, scores="sum")
    assert_close(by_sum, gradient_penalty(lambda x: patches(x).sum((1, 2, 3)), x, x))
    with pytest.raises(ValueError, match="scores must be one of mean, sum; got 'max'"):
        gradient_penalty(patches, x, kind="r1", scores="max")


@pytest.mark.parametrize("kind", ["wgan-gp", "r1", "r2"])
def test_each_scale_is_a_discriminator_of_its_own(kind: Any) -> None:
    """The mean of their penalties, and not the penalty of their mean, in which opposite slopes would cancel."""
    x, slope = torch.randn(4, 3, dtype=torch.float64), torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    up, down = Linear(slope), Linear(-2 * slope)
    each = [gradient_penalty(critic, x, x, kind=kind) for critic in (up, down)]
    both = gradient_penalty(lambda x: [up(x), down(x)], x, x, kind=kind)
    assert_close(both, (each[0] + each[1]) / 2)
    with_features = lambda x: [[x.square(), up(x)], [x.sin(), down(x)]]  # noqa: E731
    assert_close(gradient_penalty(with_features, x, x, kind=kind), both)
    both.backward()
    assert up.weight.grad is not None and down.weight.grad is not None


@pytest.mark.parametrize("kind", ["wgan-gp", "r1", "r2"])
def test_a_gradient_scaler_scales_the_penalty_like_the_loss_and_leaves_nothing_to_unscale(kind: Any) -> None:
    critic, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), torch.randn(4, 3)
    scaler, optimizer = torch.amp.GradScaler("cpu", init_scale=2.0**12), torch.optim.SGD(critic.parameters())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        penalty = gradient_penalty(critic, x, x, kind=kind)
    scaler.scale(penalty).backward()
    scaler.unscale_(optimizer)
    scaled = [parameter.grad.clone() for parameter in critic.parameters() if parameter.grad is not None]
    critic.zero_grad()
    gradient_penalty(critic, x, x, kind=kind).backward()
    expected = [parameter.grad for parameter in critic.parameters() if parameter.grad is not None]
    assert_close(scaled, expected, rtol=1e-6, atol=0)
    assert len(scaled) == 3  # the bias of the last layer has no slope


def test_bad_penalty_calls_are_refused() -> None:
    x = torch.randn(2, 3)
    with pytest.raises(ValueError, match="kind must be one of wgan-gp, r1, r2; got 'gp'"):
        gradient_penalty(Linear(torch.ones(3)), x, x, kind="gp")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"fake must have the shape of real, \(2, 3\); got none"):
        gradient_penalty(Linear(torch.ones(3)), x)
    with pytest.raises(ValueError, match=r"fake must have the shape of real, \(2, 3\); got none"):
        gradient_penalty(Linear(torch.ones(3)), x, kind="r2")
    with pytest.raises(ValueError, match="the output of discriminator must be a tensor or hold at least one"):
        gradient_penalty(lambda x: [], x, kind="r1")
    with pytest.raises(ValueError, match=r"got \(1, 3\)"):
        gradient_penalty(Linear(torch.ones(3)), x, x[:1])
