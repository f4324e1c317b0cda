import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pix2pix.signs import LittleVariety, NotTheirTargets
from pix2pix.signs.variety import KEPT, ComparedOutputs, distances
from training.callbacks import Epoch


def gray(*values: float, size: int = 16) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, size, size)


def epoch_of(sign: ComparedOutputs, batches: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """The values after a validation."""
    sign.start_validation()
    for output, target in batches:
        assert sign.in_validation(output, {"target": target}) == {}
    measured = sign.end_validation()
    means = {name: measured[name].nanmean().item() if measured else math.nan for name in sign.averaged}
    return sign.values(Epoch(means, {}, 1))


def test_distances_to_the_same_place_and_to_others() -> None:
    own, others = distances(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 3.0]]))
    assert_close(own, torch.tensor([1.0, 2.0]))
    assert_close(others, torch.tensor([[math.nan, 4.0], [1.0, math.nan]]), equal_nan=True)


def test_variety_is_that_of_the_outputs_beside_that_of_the_targets() -> None:
    targets = gray(0.0, 0.4, 0.8)  # distances of 0.4, 0.4 and 0.8
    sign = LittleVariety(0.3)
    assert epoch_of(sign, [(targets / 4 + 0.1, targets)])["variety"] == pytest.approx(0.25)
    assert epoch_of(sign, [(targets[:1], targets[:1]), (targets[1:], targets[1:])])["variety"] == pytest.approx(1.0)
    values = epoch_of(sign, [(gray(0.3, 0.3, 0.3), targets)])
    assert values["variety"] == 0.0
    said = sign.warning(values)
    assert said is not None
    assert said.startswith("outputs differ 0.00 times as much as their targets: G gives nearly one picture")
    assert sign.warning({"variety": 0.3}) is None
    assert LittleVariety(None).warning(values) is None


def test_outputs_that_know_nothing_are_as_far_from_their_own_targets_as_from_others() -> None:
    targets, sign = gray(-0.5, 0.1, 0.9, 0.2), NotTheirTargets(0.95)
    assert epoch_of(sign, [(targets, targets)])["own_target"] == 0.0
    values = epoch_of(sign, [(gray(0.3, 0.3, 0.3, 0.3), targets)])
    assert values["own_target"] == pytest.approx(1.0)
    said = sign.warning(values)
    assert said is not None
    assert said.startswith("outputs are 1.00 times as far from their own targets as from those of other inputs")
    assert epoch_of(sign, [(targets.flip(0), targets)])["own_target"] > 1  # the targets of others
    assert sign.warning({"own_target": 0.95}) is None
    assert NotTheirTargets(None).warning(values) is None


def test_pictures_of_any_size_are_compared_as_means_over_a_grid() -> None:
    sign = LittleVariety(0.3)
    large, small = gray(0.0, 0.5, size=96), gray(1.0, size=20)
    assert epoch_of(sign, [(large, large), (small, small)])["variety"] == pytest.approx(1.0)


@pytest.mark.parametrize("batch_size", [1, 7, 100, 300])
def test_what_is_kept_is_spread_evenly_over_the_validation(batch_size: int) -> None:
    sign = LittleVariety(0.3)
    pictures = gray(*(index / 300 for index in range(300)), size=2)
    for batch in pictures.split(batch_size):
        sign.in_validation(batch, {"target": batch})
    kept = torch.cat(sign._kept, 1)[0, :, 0, 0, 0] * 300
    assert KEPT / 2 <= len(kept) <= KEPT
    assert kept.diff().std() < 1e-3
    assert_close(kept[0], torch.tensor(0.0))
    assert kept[-1] > 250


def test_one_picture_and_equal_targets_tell_nothing() -> None:
    for sign in LittleVariety(0.3), NotTheirTargets(0.95):
        for batches in [], [(gray(0.5), gray(0.1))]:
            values = epoch_of(sign, batches)
            assert all(map(math.isnan, values.values()))
            assert sign.warning(values) is None
    assert math.isnan(epoch_of(LittleVariety(0.3), [(gray(0.1, 0.5), gray(0.2, 0.2))])["variety"])
