import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pix2pix.callbacks import Pix2PixHealth
from pix2pix.signs import Checkerboard, ConstantOutputs, Saturation
from pix2pix.signs.outputs import OutputSign, grid_energy, is_constant, saturated_share
from tests.pix2pix.training import small_model
from training.callbacks import Epoch


def epoch_of(sign: OutputSign, output: Tensor, target: Tensor, known: Tensor | None = None) -> dict[str, float]:
    """The values after a validation of one batch."""
    batch = {"target": target} if known is None else {"target": target, "known": known}
    measured = sign.in_validation(output, batch)
    means = dict.fromkeys(sign.averaged, math.nan) | {name: each.nanmean().item() for name, each in measured.items()}
    return sign.values(Epoch(means, {}, 1))


def test_saturation_counts_only_where_the_target_is_not_saturated() -> None:
    target = torch.tensor([[-1.0, 1.0, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, -1.0, -1.0]]).view(3, 1, 2, 2)
    output = torch.tensor([[-1.0, 1.0, 1.0, 0.2], [1.0, -1.0, 1.0, 0.9], [0.0, 0.0, 0.0, 0.0]]).view(3, 1, 2, 2)
    assert_close(saturated_share(output, target), torch.tensor([1 / 2, 2 / 3, math.nan]), equal_nan=True)
    values = epoch_of(Saturation(0.5), output, target)
    assert values["saturated"] == pytest.approx(7 / 12)
    said = Saturation(0.5).warning(values)
    assert said is not None
    assert said.startswith("58 % of what G should give between black and white is black or white")
    assert Saturation(0.6).warning(values) is None
    assert Saturation(None).warning({"saturated": 1.0}) is None


def test_constant_outputs_have_less_than_a_twentieth_of_the_targets_deviation() -> None:
    wave = torch.tensor([-1.0, 1.0]).repeat(8).view(1, 1, 4, 4)
    target = torch.cat([wave, wave, wave, wave * 0 + 0.3])
    output = torch.cat([0.06 * wave, 0.2 + 0.04 * wave, wave * math.nan, wave])
    assert_close(is_constant(output, target), torch.tensor([0.0, 1.0, 1.0, math.nan]), equal_nan=True)
    values = epoch_of(ConstantOutputs(0.5), output, target)
    assert values["constant"] == pytest.approx(2 / 3)
    said = ConstantOutputs(0.5).warning(values)
    assert said is not None
    assert said.startswith("67 % of the outputs are of one color or not finite: G is dead")
    assert ConstantOutputs(0.7).warning(values) is None
    assert ConstantOutputs(None).warning({"constant": 1.0}) is None


def patterned(period: int, height: int = 16, width: int = 24) -> Tensor:
    """A checkerboard of values -1 and 1."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return 1.0 - 2 * ((rows // (period // 2) + columns // (period // 2)) % 2).float()[None, None]


@pytest.mark.parametrize("period", [2, 4])
def test_the_energy_of_a_checkerboard_is_all_that_of_a_grid(period: int) -> None:
    output = 0.3 + 0.1 * patterned(period)
    grid, rest = grid_energy(output, torch.zeros_like(output))
    assert grid.shape == (1, 1, 2, 3)
    assert_close(grid, torch.full_like(grid, 0.01))
    assert_close(rest, torch.zeros_like(rest), atol=1e-6, rtol=0)
    assert epoch_of(Checkerboard(4.0), output, torch.zeros_like(output))["checkerboard"] == pytest.approx(12.75)


def test_a_pattern_of_eight_pixels_is_no_grid() -> None:
    grid, rest = grid_energy(patterned(8), torch.zeros(1, 1, 16, 24))
    assert_close(grid, torch.zeros_like(grid))
    assert_close(rest, torch.ones_like(rest))


def test_noise_is_no_grid() -> None:
    output = 0.1 * torch.randn(8, 3, 64, 64)
    grid, rest = grid_energy(output, torch.zeros_like(output))
    assert (grid.mean() / (grid + rest).mean()).item() == pytest.approx(15 / 63, rel=0.03)
    assert epoch_of(Checkerboard(4.0), output, torch.zeros_like(output))["checkerboard"] < 2  # of noise of 13 levels
    both = epoch_of(Checkerboard(4.0), output + 0.1 * patterned(2, 64, 64), torch.zeros_like(output))
    assert both["checkerboard"] == pytest.approx(12.75, rel=0.03)


def test_a_grid_counts_where_the_target_is_flat() -> None:
    output, target = 0.1 * patterned(2), 0.1 * patterned(2)
    target[..., 8:16] = 0.7  # flat
    grid, _ = grid_energy(output, target)
    assert grid.isnan().tolist() == [[[[True, False, True]] * 2]]
    values = epoch_of(Checkerboard(4.0), output, target)
    said = Checkerboard(4.0).warning(values)
    assert said is not None
    assert said.startswith("outputs have a grid of 2 or 4 pixels, of 12.8 in 255 gray levels")
    assert Checkerboard(13.0).warning(values) is None
    assert Checkerboard(None).warning(values) is None


def test_without_a_flat_block_or_a_block_nothing_is_known() -> None:
    for size in (16, 24), (7, 24):
        noise = torch.randn(1, 1, *size)
        values = epoch_of(Checkerboard(4.0), noise, noise)
        assert math.isnan(values["checkerboard"])
        assert Checkerboard(4.0).warning(values) is None


def test_where_the_target_is_unknown_the_output_is_as_the_target() -> None:
    target, output = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    known = torch.tensor([True, False, False, False]).view(1, 1, 2, 2)
    assert epoch_of(Saturation(0.5), output, target, known)["saturated"] == 0.25


def test_signs_explain_those_that_are_there() -> None:
    names = {sign.name for sign in Pix2PixHealth().signs(small_model())}
    assert len(names) == 9
    assert {*Saturation(0.5).explains, *ConstantOutputs(0.5).explains} < names
