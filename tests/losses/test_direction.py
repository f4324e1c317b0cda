import math

import pytest
import torch
from torch.testing import assert_close

from losses import cosine_loss


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 180])
@pytest.mark.parametrize("length", [1e-3, 1.0, 1e3])
def test_the_angle_counts_and_not_the_length(degrees: float, length: float) -> None:
    angle = math.radians(degrees)
    x = length * torch.tensor([[math.cos(angle), math.sin(angle), 0.0]])
    y = torch.tensor([[2.0, 0.0, 0.0]])
    assert cosine_loss(x, y).item() == pytest.approx(1 - math.cos(angle), abs=1e-6)


def test_unknown_normals_do_not_count_whatever_they_hold() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    y, mask = torch.randn(2, 3, 4), torch.tensor([True, False, True, True]).expand(2, 4)
    hidden = torch.where(mask.unsqueeze(1), y, torch.nan)
    value = cosine_loss(x, hidden, mask=mask)
    assert_close(value, cosine_loss(x[..., [0, 2, 3]], y[..., [0, 2, 3]]))
    value.backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert (x.grad[..., 1] == 0).all()


def test_a_vector_without_direction_costs_one_and_has_a_finite_gradient() -> None:
    x = torch.zeros(1, 3, requires_grad=True)
    value = cosine_loss(x, torch.ones(1, 3))
    value.backward()
    assert value == 1
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_shapes_are_checked() -> None:
    x = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match=r"mask must have the shape of input .* got \(2, 3, 4\) and \(2, 3, 4\)"):
        cosine_loss(x, x, mask=torch.ones_like(x, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"input must have the shape N x C x ...; got \(3,\)"):
        cosine_loss(x[0, :, 0], x[0, :, 0])
