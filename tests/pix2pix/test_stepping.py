import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Adam
from torch.testing import assert_close

from pix2pix.stepping import before_step, frozen, total_norm


@pytest.fixture
def layer() -> nn.Linear:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    layer(torch.ones(4, 3)).square().sum().backward()
    return layer


def norm(layer: nn.Linear) -> float:
    return torch.cat([p.grad.flatten() for p in layer.parameters() if p.grad is not None]).norm().item()


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_norm_above_the_limit_is_brought_to_it(layer: nn.Linear, factor: float) -> None:
    before = norm(layer)
    optimizer = Adam(layer.parameters(), fused=True)
    assert not before_step(optimizer, None, clip_norm=factor * before)
    assert norm(layer) == pytest.approx(min(factor, 1) * before, rel=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_step_is_left_out_and_the_next_one_is_as_if_it_had_never_been(
    layer: nn.Linear, value: float, clip_norm: float | None
) -> None:
    twin = nn.Linear(3, 2)
    twin.load_state_dict(layer.state_dict())
    optimizer, other = (Adam(each.parameters(), lr=0.1, fused=True) for each in (layer, twin))
    good = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
    layer.bias.grad[0] = value  # type: ignore[index]
    assert before_step(optimizer, None, clip_norm)
    optimizer.step()
    for each in (layer, twin):
        for parameter, gradient in zip(each.parameters(), good, strict=True):
            parameter.grad = gradient.clone()
    for each in (optimizer, other):
        assert not before_step(each, None, clip_norm)
        each.step()
    assert_close(layer.state_dict(), twin.state_dict(), rtol=0, atol=0)


def test_the_scale_of_a_scaler_is_taken_off_first(layer: nn.Linear) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizer = Adam(layer.parameters(), fused=True)
    plain = norm(layer)
    optimizer.zero_grad()
    scaler.scale(layer(torch.ones(4, 3)).square().sum()).backward()
    assert norm(layer) == pytest.approx(1024 * plain)
    assert not before_step(optimizer, scaler, None)
    assert norm(layer) == pytest.approx(plain)


def test_a_frozen_network_passes_gradients_on_and_takes_none() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    network[0].requires_grad_(False)  # by the user, and so it stays
    pictures = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="stop"), frozen(network):
        network(pictures).sum().backward()
        raise RuntimeError("stop")
    assert pictures.grad is not None
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network.parameters()] == [False, False, True, True]


@pytest.mark.parametrize("dtypes", [[], [torch.float32] * 3, [torch.float64], [torch.float32, torch.float64]])
def test_the_norm_of_all_is_torch_s(dtypes: list[torch.dtype]) -> None:
    torch.manual_seed(0)
    gradients: list[Tensor] = [torch.randn(4, 3, dtype=dtype) for dtype in dtypes]
    assert_close(total_norm(gradients), get_total_norm(gradients), rtol=0, atol=0)
