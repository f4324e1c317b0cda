import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from torch import Tensor, nn

from losses import figures, huber_loss, mse_loss, rmse_loss


def curves(figure: Figure, panel: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {str(line.get_label()): line.get_data() for line in figure.axes[panel].lines}


def pixels(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="rgba", dpi=40)
    return file.getvalue()


def color_at(figure: Figure, x: float, y: float) -> list[int]:
    """The colour from 0 to 255 of a point, in coordinates of the first panel's data."""
    width, height = (int(size * 40) for size in figure.get_size_inches())
    picture = np.frombuffer(pixels(figure), dtype=np.uint8).reshape(height, width, 4)
    column, row = figure.axes[0].transData.transform((x, y)) * 40 / figure.dpi
    return picture[height - 1 - int(row), int(column), :3].tolist()


def test_regression_curves_are_the_formulas_and_their_derivatives() -> None:
    figure = figures.regression_curves()
    e = np.arange(-200, 201) * 3 / 200
    size, sign, price = np.abs(e), np.sign(e), np.where(e > 0, 2, 1)
    expected = {
        "MSE": (e**2, 2 * e),
        "L1": (size, sign),
        "Huber (delta 1)": (np.where(size < 1, e**2 / 2, size - 0.5), np.clip(e, -1, 1)),
        "smooth L1 (beta 0.5)": (np.where(size < 0.5, e**2, size - 0.25), np.clip(2 * e, -1, 1)),
        "log-cosh": (np.log(np.cosh(e)), np.tanh(e)),
        "asymmetric MSE (over 2, under 1)": (price * e**2, 2 * price * e),
    }
    assert curves(figure).keys() == curves(figure, 1).keys() == expected.keys()
    for name, (loss, slope) in expected.items():
        for panel, y in ((0, loss), (1, slope)):
            drawn_e, drawn_y = curves(figure, panel)[name]
            np.testing.assert_allclose(drawn_e, e, atol=1e-12)
            np.testing.assert_allclose(drawn_y, y, atol=1e-12)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(expected)


def test_regression_curves_take_losses_that_reduce_as_they_like_and_modules() -> None:
    figure = figures.regression_curves({"root": rmse_loss, "module": nn.MSELoss()}, extent=2)
    e, root = curves(figure)["root"]
    np.testing.assert_allclose(root, np.abs(e))
    np.testing.assert_allclose(curves(figure)["module"][1], e**2)


@pytest.mark.parametrize("loss", [lambda x, y: 1 / (x - y).abs(), lambda x, y: 0 * x])
def test_regression_curves_survive_infinite_and_flat_losses(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert pixels(figures.regression_curves({"odd": loss}))


def test_steep_losses_leave_the_picture_rather_than_flatten_the_others() -> None:
    limits = figures.regression_curves({"a": mse_loss, "b": huber_loss, "c": huber_loss}).axes[0].get_ylim()
    assert limits == pytest.approx((0, 1.05 * 2 * 2.5))  # Huber's largest is 2.5, MSE's 9
    assert figures.regression_curves({"a": mse_loss}).axes[0].get_ylim() == pytest.approx((0, 1.05 * 9))


def test_bce_curves_are_minus_the_logarithm_of_the_probability_of_the_truth() -> None:
    yes, no, even = (line.get_xydata() for line in figures.bce_curves().axes[0].lines)
    assert yes[0, 0] == 0.01 and yes[-1, 0] == pytest.approx(0.99)
    np.testing.assert_allclose(yes[:, 1], -np.log(yes[:, 0]), rtol=1e-12)
    np.testing.assert_allclose(no[:, 1], -np.log(1 - no[:, 0]), rtol=1e-12)
    assert even.tolist() == [[0.5, math.log(2)]]


def test_focal_curves_are_the_papers_formula() -> None:
    gammas = (0, 0.5, 2)
    lines = figures.focal_curves(gammas).axes[0].lines
    assert len(lines) == 3
    for gamma, line in zip(gammas, lines, strict=True):
        p, loss = line.get_data()
        assert p[0] == 0.01
        np.testing.assert_allclose(loss, -((1 - p) ** gamma) * np.log(p), rtol=1e-9)
        assert f"= {gamma:g}" in str(line.get_label())
    with pytest.raises(ValueError, match="gamma must be"):
        figures.focal_curves((-1,))


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


def test_convergence_draws_the_measurements_at_their_steps() -> None:
    figure = figures.convergence({"a": [3, 1], "b": [3, 2, 0.1]}, metric="error (m)", every=10)
    drawn = curves(figure)
    assert [list(axis) for axis in drawn["a"]] == [[0, 10], [3, 1]]
    assert [list(axis) for axis in drawn["b"]] == [[0, 10, 20], [3, 2, 0.1]]
    assert (figure.axes[0].get_ylabel(), figure.axes[0].get_yscale()) == ("error (m)", "log")


@pytest.mark.parametrize("history", [[1.0, 0.5], [10, 0], [5, -1], [math.nan, math.inf]])
def test_the_axis_stays_linear_for_values_that_are_close_or_not_positive(history: list[float]) -> None:
    figure = figures.convergence({"a": history}, metric="m")
    assert figure.axes[0].get_yscale() == "linear"
    assert pixels(figure)


def test_convergence_needs_a_measurement() -> None:
    with pytest.raises(ValueError, match="at least one measurement"):
        figures.convergence({"a": []}, metric="m")


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "metrics.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_task_weights_skips_empty_cells_and_other_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "epoch,loss,step,weight/depth,weight/normals\n0,2,0,1,\n0,,5,,3\n1,1,9,0.5,2\n1,4,12,,\n")
    figure = figures.task_weights(path)
    drawn = {name: [list(axis) for axis in data] for name, data in curves(figure).items()}
    assert drawn == {"depth": [[0, 9], [1, 0.5]], "normals": [[5, 9], [3, 2]]}
    assert list(curves(figures.task_weights(path, prefix="lo"))) == ["ss"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "step,loss\n0,1\n",
            "expected a CSV file with a column step and columns weight/TASK; its columns are step, loss",
        ),
        ("weight/a\n1\n", "its columns are weight/a"),
        ("", "its columns are none"),
        ("step,weight/a\n0,one\n", "weight/a or its step is not a number: could not convert string to float: 'one'"),
        ("step,weight/a\n,1\n", "weight/a or its step is not a number"),
        ("step,weight/a\n0,\n", "no values in the columns weight/a"),
        (b"\x89PNG\xff\xfe\n", "expected a CSV file"),
    ],
)
def test_task_weights_refuses_a_wrong_file_in_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as error:
        figures.task_weights(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


def test_task_weights_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere.csv: No such file or directory; expected a CSV file"):
        figures.task_weights(tmp_path / "nowhere.csv")


def test_many_curves_look_different() -> None:
    lines = figures.convergence({str(index): [1, index] for index in range(7)}, metric="m").axes[0].lines
    assert len({line.get_color() for line in lines}) == len({str(line._dash_pattern) for line in lines}) == 7
