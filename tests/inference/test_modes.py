"""The modes of inference, held to what torch does in training mode and in evaluation mode."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from inference import PRESETS, InferenceMode, as_mode, in_mode, recalibrate, run

PICTURES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * torch.arange(1, 7).reshape(6, 1, 1, 1)


def build(norm: type[nn.Module] = nn.BatchNorm2d, dropout: float = 0.5) -> nn.Sequential:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        norm(4, eps=0.1),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Conv2d(4, 2, 3, padding=1),
        norm(2),
    )
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + (0.5 if "var" in name else -0.3))
    return network


def trained(network: nn.Module, pictures: Tensor) -> Tensor:
    """What training makes of a batch, without dropout."""
    network = copy.deepcopy(network).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network(pictures)


def test_running_and_recalibrated_are_evaluation_mode() -> None:
    network = build()
    expected = copy.deepcopy(network).eval()(PICTURES)
    assert torch.equal(run(network, PICTURES, InferenceMode()), expected)
    assert torch.equal(run(network, PICTURES, InferenceMode("recalibrated")), expected)


def test_batch_takes_the_statistics_of_the_batch() -> None:
    network = build()
    assert_close(run(network, PICTURES, InferenceMode("batch")), trained(network, PICTURES))


@pytest.mark.parametrize("size", [1, 4, 6])
def test_instance_takes_those_of_each_picture_whatever_the_batch(size: int) -> None:
    network = build()
    expected = torch.cat([trained(network, picture) for picture in PICTURES.split(1)])
    got = torch.cat([run(network, batch, InferenceMode("instance")) for batch in PICTURES.split(size)])
    assert_close(got, expected)


@pytest.mark.parametrize("norm", ["running", "batch", "instance"])
def test_instance_norm_is_the_same_in_every_mode(norm: Any) -> None:
    network = build(nn.InstanceNorm2d)
    assert_close(run(network, PICTURES, InferenceMode(norm)), trained(network, PICTURES))


def test_batch_takes_the_statistics_of_the_batch_with_dropout_too() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5))
    expected, got = trained(network, PICTURES), run(network, PICTURES, InferenceMode("batch", dropout=True))
    kept = got != 0
    assert 0.4 < kept.float().mean() < 0.6
    assert_close(got[kept], 2 * expected[kept])  # dropout makes up for what it drops
    assert torch.equal(got, run(network, PICTURES, InferenceMode("batch", dropout=True)))


@pytest.mark.parametrize("norm", ["running", "instance", "recalibrated"])
def test_with_dropout_a_result_depends_on_the_picture_alone(norm: Any) -> None:
    network, mode = build(), InferenceMode(norm, dropout=True)
    together = run(network, PICTURES, mode)
    assert not torch.equal(together, run(network, PICTURES, InferenceMode(norm)))
    torch.manual_seed(5)
    alone = torch.cat([run(network, picture, mode) for picture in reversed(PICTURES.split(1))]).flip(0)
    assert torch.equal(alone, together)


def test_the_paper_s_protocol_is_training_mode_at_batch_size_1() -> None:
    network = build(dropout=0.0)  # what is left to chance is tested above
    expected = torch.cat([trained(network, picture) for picture in PICTURES.split(1)])
    assert_close(run(network, PICTURES, PRESETS["paper"]), expected)
    assert PRESETS["paper"].dropout
    assert PRESETS["standard"] == InferenceMode("running", dropout=False)


def test_the_random_numbers_of_the_program_stay_as_they_are() -> None:
    network = build()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(network, PICTURES, PRESETS["paper"])
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("mode", [InferenceMode(), InferenceMode("batch", True), PRESETS["paper"]])
def test_the_network_is_left_as_it_was_also_after_an_error(mode: InferenceMode) -> None:
    network = build().train()
    network[1].eval()  # frozen by the user
    flags = [module.training for module in network.modules()]
    state = copy.deepcopy(network.state_dict())
    expected = copy.deepcopy(network)(PICTURES[:1])

    run(network, PICTURES, mode)
    with pytest.raises(RuntimeError, match="expected input"):
        run(network, PICTURES[:, :2], mode)
    with pytest.raises(KeyError), in_mode(network, mode):
        raise KeyError

    assert [module.training for module in network.modules()] == flags
    assert all(map(torch.equal, network.state_dict().values(), state.values()))
    for module in network.modules():
        assert "forward" not in vars(module)
    assert network(PICTURES[:1]).shape == expected.shape
    assert not torch.equal(network.state_dict()["5.running_mean"], state["5.running_mean"])  # it trains on


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_modes_under_autocast(norm: Any) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        got = run(build(), PICTURES, InferenceMode(norm))
    assert got.dtype == torch.bfloat16
    assert got.isfinite().all()


def test_an_unknown_norm_or_preset_is_refused() -> None:
    assert as_mode("paper") == as_mode(PRESETS["paper"]) == InferenceMode("instance", dropout=True)
    with pytest.raises(ValueError, match="inference must be one of standard, paper, or an InferenceMode; got 'eval'"):
        as_mode("eval")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="norm must be one of running, batch, instance, recalibrated; got 'eval'"):
        InferenceMode("eval")  # type: ignore[arg-type]


# --- recalibration


def recalibrated(size: int) -> nn.Sequential:
    torch.manual_seed(3)
    network = build()
    recalibrate(network, lambda: PICTURES.split(size))
    return network


def test_recalibrated_statistics_are_those_of_all_pictures() -> None:
    """Of two layers in a row both, as the second pass sees the first one's."""
    network = recalibrated(size=4)
    before = copy.deepcopy(network).eval()
    for layer in (1, 5):
        x = before[:layer](PICTURES)
        assert_close(network[layer].running_mean, x.mean((0, 2, 3)))
        assert_close(network[layer].running_var, x.var((0, 2, 3), correction=0))


@pytest.mark.parametrize("size", [1, 4, 6])
def test_recalibration_depends_on_no_batch_size_and_changes_nothing_else(size: int) -> None:
    torch.manual_seed(3)
    before, after = build().state_dict(), recalibrated(size).state_dict()
    for name, tensor in recalibrated(size=2).state_dict().items():
        assert_close(after[name], tensor)
        if "running" not in name:
            assert torch.equal(before[name], tensor)


def test_processes_that_have_a_part_each_get_the_statistics_of_all() -> None:
    norm, others = nn.BatchNorm2d(3), []
    recalibrate(norm, lambda: [PICTURES[:1]], over_processes=lambda sums: others.append(sums) or sums)
    recalibrate(norm, lambda: [PICTURES[1:]], over_processes=lambda sums: sums + others[0])
    assert_close(norm.running_mean, PICTURES.mean((0, 2, 3)))
    assert_close(norm.running_var, PICTURES.var((0, 2, 3), correction=0))


def test_recalibration_for_a_mode_with_dropout_sees_its_noise() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3))
    recalibrate(network, lambda: [PICTURES], dropout=True)
    expected = run(network[0], PICTURES, InferenceMode(dropout=True))
    assert_close(network[1].running_var, expected.var((0, 2, 3), correction=0))
    assert not torch.equal(expected, PICTURES)


def test_a_network_without_running_statistics_is_left_alone() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.InstanceNorm2d(3))
    recalibrate(network, lambda: [PICTURES])
    assert not network.state_dict().keys() & {"0.running_mean", "1.running_mean"}
