import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from losses.__main__ import main

NAMES = ["regression", "bce", "focal", "landscape", "convergence", "task_weights"]


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


def ending(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Run a command that ends early: its exit code, and its last words."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    if isinstance(stop.value.code, str):  # what Python prints, with exit code 1
        return 1, stop.value.code
    return stop.value.code, capsys.readouterr().err.rstrip("\n")


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
    with pytest.raises(ValueError, match="first"):
        main(["figures", "--debug"])


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
    for word in (*(f"{name}.png" for name in NAMES), "--out DIR", "--debug"):
        assert word in text


def test_without_matplotlib_it_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, line = ending(["figures", "--out", str(tmp_path)], capsys)
    assert code == 1 and "matplotlib" in line and "\n" not in line
