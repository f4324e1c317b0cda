from pathlib import Path

import pytest

from training.wording import plain

UNION = """Parser key "model.precision": Does not validate against any of the Union subtypes
Subtypes: [int, str]
Errors:
  - Expected a <class 'NoneType'>
  - Expected a typing.Literal['32', 'bf16']
  - Expected a <class 'int'>
Given value type: <class 'str'>
Given value: fast"""
CALLABLE = (
    'Parser key "layout": Type collections.abc.Callable[[pathlib.Path, str], pix2pix.data.pairs.Pairs] expects a '
    "function or a callable class: Expected 'os.system' to be a function that returns <class 'Pairs'>.. Got value: "
    "os.system"
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("lr must be above 0; got -1", "lr must be above 0; got -1"),
        (UNION, "model.precision: must be one of 32, bf16 or a whole number; got fast"),
        (CALLABLE, "layout: os.system is no subclass of Pairs; got os.system"),
        (
            'Parser key "model.generator": Import path torch.nn.Linear does not correspond to a subclass of Generator',
            "model.generator: torch.nn.Linear is no subclass of Generator",
        ),
        (
            "Parser key \"model.generator\": Problem with given class_path 'a.B': No module named 'a'",
            "model.generator: a.B: there is no module a",
        ),
        ("Parser key \"lr\": Expected a <class 'float'>. Got value: fast", "lr: must be a number; got fast"),
        (
            "weight must be at least 0; got -1.0 Given value: {'r1': Namespace(a=1)}",
            "weight must be at least 0; got -1.0",
        ),
        ("Option 'depth' is not accepted", "there is no option depth"),
    ],
)
def test_what_jsonargparse_says_becomes_plain(said: str, expected: str) -> None:
    assert plain(said) == expected


def test_paths_are_short_and_errors_of_the_system_name_them_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert plain(f"{tmp_path}/a.png: damaged") == "a.png: damaged"
    error = OSError(20, "Not a directory", f"{tmp_path}/a.png/b")
    assert plain(error) == "a.png/b: Not a directory; choose another place"
    assert plain(OSError("the download failed")) == "the download failed"
