import math

import pytest

from losses import figures
from tests.losses.figures.reading import curves, pixels


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


def test_task_weights_are_drawn_at_their_steps() -> None:
    figure = figures.task_weights({"depth": [(0, 1), (9, 0.5)], "normals": [(5, 3), (9, 2)], "edges": []})
    drawn = {name: [list(axis) for axis in data] for name, data in curves(figure).items()}
    assert drawn == {"depth": [[0, 9], [1, 0.5]], "normals": [[5, 9], [3, 2]]}
    with pytest.raises(ValueError, match="weights must hold at least one; got none for depth"):
        figures.task_weights({"depth": []})


def test_many_curves_look_different() -> None:
    lines = figures.convergence({str(index): [1, index] for index in range(7)}, metric="m").axes[0].lines
    assert len({line.get_color() for line in lines}) == len({str(line._dash_pattern) for line in lines}) == 7
