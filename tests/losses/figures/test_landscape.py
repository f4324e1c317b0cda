import math

import pytest
import torch
from matplotlib.colors import LogNorm
from torch import Tensor, nn

from losses import figures
from tests.losses.figures.reading import color_at


def test_landscape_marks_the_models_loss_in_the_middle() -> None:
    model = nn.Linear(2, 2, bias=False)
    nn.init.constant_(model.weight, 1)
    figure = figures.loss_landscape(model, lambda model: 1e-3 + (model.weight - 1).square().sum(), steps=5)
    axes = figure.axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0, 0]]
    assert axes.lines[0].get_label() == "the model: 0.001"
    assert isinstance(axes.collections[0].norm, LogNorm)  # from 0.001 to about 4
    assert figure.axes[1].get_ylabel() == "loss"
    assert axes.get_xlim() == axes.get_ylim() == (-1, 1)


def test_landscape_paints_rows_along_the_second_direction_and_up() -> None:
    model, calls = nn.Linear(2, 2), []

    def ninth(_: nn.Module) -> Tensor:
        calls.append(None)
        return torch.tensor(5.0 if len(calls) in (7, 8, 9) else 0.0)  # the last row: the second direction at +1

    figure = figures.loss_landscape(model, ninth, steps=3)
    top, left, right = (color_at(figure, x, y) for x, y in ((-0.9, 0.97), (-0.9, -0.9), (0.9, -0.9)))
    assert left == right != top


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_landscape_shows_where_the_loss_is_not_finite(value: float) -> None:
    model, calls = nn.Linear(2, 2), []

    def broken(model: nn.Module) -> Tensor:
        calls.append(None)
        return torch.tensor(value) if len(calls) < 5 else model.weight.square().sum()

    figure = figures.loss_landscape(model, broken, steps=3)
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()][1:] == ["not finite"]
    assert color_at(figure, -0.9, -0.9) == [153, 153, 153]  # the first points are those below
    assert color_at(figure, 0.9, 0.9) != [153, 153, 153]
    with pytest.raises(ValueError, match="finite nowhere"):
        figures.loss_landscape(model, lambda _: torch.tensor(value), steps=3)


@pytest.mark.parametrize("value", [0.0, 1e30])
@pytest.mark.parametrize("rounding", [0.0, 2**-52])
def test_a_flat_landscape_is_one_colour(value: float, rounding: float) -> None:
    values = iter([value] * 4 + [value * (1 + rounding)] * 5)
    model = nn.Linear(2, 2)
    figure = figures.loss_landscape(model, lambda _: torch.tensor(next(values), dtype=torch.float64), steps=3)
    assert color_at(figure, -0.9, -0.9) == color_at(figure, 0.5, 0.5) == [0x21, 0x91, 0x8C]
