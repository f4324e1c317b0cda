"""L1 after alignment."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from inference import build
from losses import l1_loss
from losses.convention import Loss
from pix2pix import RegistrationLoss
from pix2pix.registration import length, roughness, warp
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model


def picture(count: int = 1, height: int = 6, width: int = 7) -> Tensor:
    return torch.rand(count, 2, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def constant_field(columns: float, rows: float) -> Tensor:
    return torch.tensor([columns, rows], dtype=torch.float64).view(1, 2, 1, 1).expand(1, 2, 6, 7)


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_whole_shifts_move_pixels_and_repeat_borders(columns: int, rows: int) -> None:
    warped = warp(picture(), constant_field(columns, rows))
    y, x = (torch.arange(6) + rows).clamp(0, 5), (torch.arange(7) + columns).clamp(0, 6)
    assert_close(warped, picture()[..., y, :][..., x])


def test_between_pixels_it_is_linear() -> None:
    ramp = torch.arange(7, dtype=torch.float64).expand(1, 2, 6, 7)
    assert_close(warp(ramp, constant_field(0.25, 0))[..., :-1], ramp[..., :-1] + 0.25)
    field = torch.zeros(1, 2, 6, 7, dtype=torch.float64)
    field[0, 0, 2, 3] = -1.5  # one pixel alone looks to the left
    expected = ramp.clone()
    expected[..., 2, 3] = 1.5
    assert_close(warp(ramp, field), expected)


def test_roughness_by_hand() -> None:
    field = torch.zeros(2, 2, 3, 4)
    field[0, 0] = torch.arange(4.0)  # a stretch: one pixel per pixel along rows, in one of two directions
    field[1, 1, 1] = 3.0  # one row of three is moved: half of the changes are 0 and half are of 3 pixels
    assert_close(roughness(field), torch.tensor([0.5, 9 / 2]))
    assert roughness(torch.ones(1, 2, 1, 1)).item() == 0


def test_length_by_hand() -> None:
    field = torch.zeros(2, 2, 1, 2)
    field[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    assert_close(length(field), torch.tensor([12.5, 0.0]))


def test_a_shift_of_all_costs_a_little() -> None:
    """Of fields that align equally well the shortest is the best."""
    loss = RegistrationLoss(2, smoothness=2.0, max_shift=4.0).double()
    last = loss.network[-1]
    assert isinstance(last, torch.nn.Conv2d)
    assert last.bias is not None
    torch.nn.init.constant_(last.bias, math.atanh(0.75))  # 3 pixels along both axes, everywhere
    flat = torch.zeros(1, 2, 16, 16, dtype=torch.float64)
    assert loss(flat, flat).item() == pytest.approx(2 * 1e-3 * (9 + 9))


def test_it_begins_as_l1_of_each_picture() -> None:
    input, target = picture(3, 16, 24), picture(3, 16, 24).flip(0)
    loss = RegistrationLoss(2, reduction="none").double()
    assert_close(loss(input, target), torch.stack([l1_loss(a, b) for a, b in zip(input, target, strict=True)]))


def test_what_is_unknown_counts_neither_in_the_value_nor_in_the_gradient() -> None:
    input, target = picture(2, 16, 16).requires_grad_(), picture(2, 16, 16) + 1
    known = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    known[0, :, 4:] = False
    target = torch.where(known, target, torch.nan)
    loss = RegistrationLoss(2).double()(input, target, mask=known)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert input.grad is not None
    assert input.grad.isfinite().all()
    assert (input.grad[0, :, 5:] == 0).all()  # the network starts with no shift: nothing looks there


def test_it_learns_the_shift_of_each_pair() -> None:
    """A thing that lies elsewhere in each target, by up to 2 pixels: what L1 leaves falls to a part of it."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    loss = RegistrationLoss(1, base_channels=8, max_shift=4.0, smoothness=0.1)
    optimizer = torch.optim.Adam(loss.parameters(), lr=5e-3)
    place = torch.arange(24.0)
    values = []
    for _ in range(150):
        moves = torch.randint(-2, 3, (2, 8, 1, 1, 1), generator=generator)
        away = (place - 12 - moves[0]).square() + (place[:, None] - 12 - moves[1]).square()
        target = (-away / 18).exp()
        input = (-((place - 12).square() + (place[:, None] - 12).square()) / 18).exp().expand_as(target)
        optimizer.zero_grad()
        value = loss(input, target)
        value.backward()
        optimizer.step()
        values.append((value.item(), l1_loss(input, target).item()))
    after, plain = torch.tensor(values[-30:]).mean(0).tolist()
    assert after < 0.5 * plain
    field = loss.field(input, target)[:, :, 12, 12]
    assert_close(field.detach(), -moves.flatten(1).T.float(), atol=1.0, rtol=0)  # where to look: against the move


def test_it_trains_with_the_generator_and_is_rebuilt(tmp_path: Path) -> None:
    model = small_model(terms={"registered": RegistrationLoss(3, base_channels=4)}, lambda_l1=0.0)
    before = [parameter.detach().clone() for parameter in model.objective.parameters()]
    trainer = quiet_trainer(max_steps=3)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    assert trainer.callback_metrics["train/G_registered"] > 0
    assert not all(torch.equal(a, b) for a, b in zip(before, model.objective.parameters(), strict=True))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = type(model).load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    for name, tensor in model.objective.state_dict().items():
        assert torch.equal(again.objective.state_dict()[name], tensor)


def test_a_recipe_builds_it() -> None:
    loss = build(RegistrationLoss(1, base_channels=2, max_shift=3.0, smoothness=0.0).recipe(), Loss)
    assert isinstance(loss, RegistrationLoss)
    assert loss.options == {
        "channels": 1,
        "base_channels": 2,
        "max_shift": 3.0,
        "smoothness": 0.0,
        "reduction": "mean",
    }


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="max_shift must be a finite number above 0; got 0"):
        RegistrationLoss(max_shift=0)
    with pytest.raises(ValueError, match="smoothness must be a finite number at least 0; got -1"):
        RegistrationLoss(smoothness=-1)
    with pytest.raises(ValueError, match=r"N x 3 x H x W; got \(1, 2, 6, 7\)"):
        RegistrationLoss()(picture(), picture())
