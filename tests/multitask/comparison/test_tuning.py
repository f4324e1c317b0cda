import math

from multitask.comparison.tuning import best_rates
from multitask.tasks.task import Better

BETTER: dict[str, dict[str, Better]] = {"seg": {"miou": "higher"}, "depth": {"abs": "lower", "rmse": "lower"}}


def depth(absolute: float, rmse: float) -> dict[str, float]:
    return {"depth/abs": absolute, "depth/rmse": rmse}


def test_each_variant_has_the_rate_with_the_largest_delta_m() -> None:
    tried = {
        "seg-alone": {0.1: {"seg/miou": 0.5}, 0.2: {"seg/miou": 0.6}},
        "depth-alone": {0.1: depth(1.0, 2.0), 0.2: depth(1.1, 2.4)},
        # Beside 0.6, 1.0 and 2.0: of 0.1 seg is 0 % and depth 5 % better; of 0.2 seg is 10 % better, depth 2 % worse.
        "equal": {0.1: {"seg/miou": 0.6, **depth(0.95, 1.9)}, 0.2: {"seg/miou": 0.66, **depth(1.02, 2.04)}},
    }
    assert best_rates(tried, BETTER) == {"seg-alone": 0.2, "depth-alone": 0.1, "equal": 0.2}


def test_a_task_alone_is_measured_by_its_own_metrics() -> None:
    tried = {"seg-alone": {0.1: {"seg/miou": 0.5, "loss": 9.0}, 0.2: {"seg/miou": 0.4, "loss": 1.0}}}
    assert best_rates(tried, BETTER) == {"seg-alone": 0.1}


def test_what_has_diverged_comes_last() -> None:
    bad = {"seg/miou": math.nan}
    for tried, best in (
        ({0.1: {"seg/miou": 0.5}, 0.2: bad, 0.3: {"seg/miou": 0.4}}, 0.1),
        ({0.1: bad, 0.2: {"seg/miou": 0.4}, 0.3: {"seg/miou": 0.5}}, 0.3),
        ({0.1: bad}, 0.1),
    ):
        assert best_rates({"seg-alone": tried}, BETTER) == {"seg-alone": best}
