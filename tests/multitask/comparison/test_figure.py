"""The figure of a comparison."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.legend import Legend

from multitask.comparison.figure import draw_comparison, mean_of
from training import Metrics


def logged(folder: Path, weights: tuple[str, ...], losses: tuple[str, ...] = ("seg", "depth")) -> Metrics:
    names = [f"val/{task}" for task in losses] + [f"weight/{each}" for each in weights]
    file = folder / f"{'-'.join(names).replace('/', '_')}.csv"
    rows = [[str(step)] + [f"{step * place}" for place in range(1, len(names) + 1)] for step in (1, 2)]
    file.write_text("".join(",".join(row) + "\n" for row in [["step", *names], *rows]))
    return Metrics(file)


def colors_of(panel: Axes) -> dict[str, str]:
    return {str(line.get_label()): to_hex(line.get_color()) for line in panel.lines}


def test_a_row_has_one_legend_with_the_colors_of_all_its_panels(tmp_path: Path) -> None:
    fixed, learned = logged(tmp_path, ()), logged(tmp_path, ("seg", "depth"))
    part = logged(tmp_path, ("depth",))  # it has no weight for seg
    names = {"equal": fixed, "FAMO": part, "uncertainty": learned, "IMTLL": learned}
    alone = {f"{task}-alone": logged(tmp_path, (), (task,)) for task in ("seg", "depth")}
    runs = {(name, 0): metrics for name, metrics in (alone | names).items()}
    figure = draw_comparison(["seg", "depth"], ["seg", "depth"], runs)
    figure.draw_without_rendering()
    above, below = figure.subfigs
    assert [panel.get_title() for panel in below.axes] == ["FAMO: weights", "uncertainty: weights", "IMTLL: weights"]
    labels = [*names, "alone"], ["depth", "seg"]
    for row, wanted in zip((above, below), labels, strict=True):
        (legend,) = (each for each in row.get_children() if isinstance(each, Legend))
        assert sorted(text.get_text() for text in legend.get_texts()) == sorted(wanted)
        pairs = zip(legend.get_texts(), legend.get_lines(), strict=True)
        shown = {text.get_text(): to_hex(line.get_color()) for text, line in pairs}
        assert all(colors_of(panel).items() <= shown.items() for panel in row.axes)
        assert len(set(shown.values())) == len(wanted)  # no two lines look alike
        hidden = legend.get_window_extent()
        assert not any(panel.get_legend() or panel.get_window_extent().overlaps(hidden) for panel in row.axes)
    assert colors_of(above.axes[0])["uncertainty"] == to_hex("tab:blue")


def test_runs_that_logged_nothing_are_drawn_empty(tmp_path: Path) -> None:
    figure = draw_comparison(["seg"], ["seg"], {("equal", 0): logged(tmp_path, (), ())})
    assert not any(panel.lines for row in figure.subfigs for panel in row.axes)
    figure.draw_without_rendering()


def test_series_are_averaged_where_all_have_a_value() -> None:
    assert mean_of([[(1, 2.0), (2, 4.0), (3, 1.0)], [(1, 4.0), (2, 0.0)]]) == [(1, 3.0), (2, 2.0)]
    assert mean_of([]) == []
