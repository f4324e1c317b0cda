import math
from collections.abc import Callable

import numpy as np
import pytest
from torch import Tensor, nn

from losses import figures, huber_loss, mse_loss, rmse_loss
from tests.losses.figures.reading import curves, pixels


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
