import importlib
import inspect
import sys

import pytest

from benchmarks.__main__ import END, PAGE, PARTS, main, put


def test_what_was_found_replaces_what_was_there_and_nothing_else() -> None:
    page = "text\n<!-- step on cpu -->\nold\n<!-- end -->\nmore\n<!-- step on cuda -->\nnothing\n<!-- end -->\nlast\n"
    assert put(page, "step", "cpu", "new") == page.replace("old", "new")
    assert put(page, "step", "cuda", "new") == page.replace("nothing", "new")
    with pytest.raises(ValueError, match="the page has no place for loader"):
        put(page, "loader", "cpu", "new")
    with pytest.raises(ValueError, match="the page has no place for step"):
        put(page.replace(END, ""), "step", "cpu", "new")


def test_the_page_has_a_place_for_each_part() -> None:
    page = PAGE.read_text()
    for part, of_interest_on_a_gpu in PARTS.items():
        for device in ("cpu", "cuda") if of_interest_on_a_gpu else ("cpu",):
            assert "new" in put(page, part, device, "new")


def test_each_part_reports() -> None:
    for part in PARTS:
        assert list(inspect.signature(importlib.import_module(f"benchmarks.{part}").report).parameters) == ["device"]


@pytest.mark.parametrize(
    ("arguments", "said"), [(["stp"], "there is no part stp"), (["--device", "tpu"], "invalid choice")]
)
def test_wrong_options_are_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert said in capsys.readouterr().err
