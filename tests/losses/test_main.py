import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from losses import figures
from losses.__main__ import main, read_task_weights
from losses.figures import experiments

NAMES = ["regression", "bce", "focal", "landscape", "convergence", "task_weights"]
METRICS = "step,weight/a,weight/b\n0,1,1\n1,0.5,2\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """What one whole run wrote, without pyplot, and what it printed."""
    out, printed = tmp_path_factory.mktemp("drawn") / "new" / "folder", io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(printed):
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it is an error
        main(["figures", "--out", str(out)])
    return out, printed.getvalue().splitlines()


@pytest.mark.slow
def test_the_command_writes_every_figure_and_prints_its_path(drawn: tuple[Path, list[str]]) -> None:
    out, lines = drawn
    assert sorted(lines) == sorted(str(path) for path in out.iterdir())
    assert {path.name for path in out.iterdir()} == {f"{name}.png" for name in NAMES}
    for name in NAMES:
        with Image.open(out / f"{name}.png") as picture:
            assert min(picture.size) > 600
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


def test_task_weights_skips_empty_cells_and_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,loss,step,weight/depth,weight/normals\n0,2,0,1,\n0,,5,,3\n1,1,9,0.5,2\n1,4,12,,\n")
    assert read_task_weights(path) == {"depth": [(0, 1), (9, 0.5)], "normals": [(5, 3), (9, 2)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step,loss\n0,1\n", "no weights; expected a CSV file with a column step and columns weight/TASK of numbers"),
        ("weight/a\n1\n", "'step'; expected"),
        ("", "no weights"),
        ("step,weight/a\n0,one\n", "could not convert string to float: 'one'; expected"),
        ("step,weight/a\n,1\n", "could not convert string to float: ''; expected"),
        ("step,weight/a\n0,\n", "no weights"),
        (b"\x89PNG\xff\xfe\n", "expected a CSV file"),
        (None, "No such file or directory; expected a CSV file"),
    ],
)
def test_a_wrong_file_of_weights_is_refused_in_one_line(tmp_path: Path, text: str | bytes | None, message: str) -> None:
    path = tmp_path / "metrics.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError) as error:
        read_task_weights(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty pictures but for the task weights, and no training, for tests of what is around them."""
    for name in ("regression_curves", "bce_curves", "focal_curves", "loss_landscape", "convergence"):
        monkeypatch.setattr(figures, name, lambda *_, **__: Figure(figsize=(1, 1)))
    monkeypatch.setattr(experiments, "train_shapes_classifier", lambda: ())
    monkeypatch.setattr(experiments, "train_with_outliers", lambda *_, **__: {})
    monkeypatch.setattr(experiments, "train_with_uncertainty", None)  # a run that is given is not trained


@pytest.mark.usefixtures("quick")
def test_the_weights_of_a_run_that_is_given_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_text(METRICS)
    monkeypatch.chdir(tmp_path)
    main(["figures", "--metrics", "metrics.csv"])
    assert capsys.readouterr().out.splitlines() == [f"figures/{name}.png" for name in NAMES]
    figures.task_weights(read_task_weights(metrics)).savefig(tmp_path / "expected.png", dpi=150)
    assert (tmp_path / "figures" / "task_weights.png").read_bytes() == (tmp_path / "expected.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected.png", "figures", "metrics.csv"]


def ending(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Run a command that ends early: its exit code, and its last words."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    if isinstance(stop.value.code, str):  # what Python prints, with exit code 1
        return 1, stop.value.code
    return stop.value.code, capsys.readouterr().err.rstrip("\n")


def test_a_wrong_metrics_file_ends_in_one_line_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("step,loss\n0,1\n")
    words = ["figures", "--out", str(tmp_path / "out"), "--metrics", str(metrics)]
    code, line = ending(words, capsys)
    assert code == 1
    assert line == (
        f"losses: error: {metrics}: no weights; expected a CSV file with a column step and columns weight/TASK of "
        "numbers (--debug shows where)"
    )
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="no weights"):
        main([*words, "--debug"])


def test_a_folder_that_is_a_file_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.write_text("")
    code, line = ending(["figures", "--out", str(out)], capsys)
    assert code == 1
    assert line.startswith("losses: error: ") and str(out) in line and "\n" not in line


def test_an_error_of_several_lines_is_told_in_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("first\n  second")

    monkeypatch.setattr("losses.__main__.draw_figures", fail)
    assert ending(["figures"], capsys) == (1, "losses: error: first second (--debug shows where)")


@pytest.mark.parametrize("words", [[], ["figure"], ["figures", "--size", "3"], ["figures", "--out"]])
def test_wrong_usage_ends_in_one_line_and_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, line = ending(words, capsys)
    assert code == 2
    assert line.startswith("losses: error: ") and line.endswith("(--help names the options)") and "\n" not in line


@pytest.mark.slow
def test_it_runs_as_a_module() -> None:
    result = subprocess.run([sys.executable, "-m", "losses"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("losses: error: ") and result.stderr.count("\n") == 1


def test_ctrl_c_ends_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("losses.__main__.draw_figures", interrupt)
    assert ending(["figures"], capsys) == (130, "losses: stopped")


def test_help_names_every_figure_and_option_and_needs_no_matplotlib(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SystemExit) as stop:
        main(["figures", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m losses figures ")
    for word in (*(f"{name}.png" for name in NAMES), "--out DIR", "--metrics FILE", "--debug"):
        assert word in text


def test_without_matplotlib_it_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, line = ending(["figures", "--out", str(tmp_path)], capsys)
    assert code == 1 and "matplotlib" in line and "\n" not in line
