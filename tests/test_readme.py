"""What the README says, done."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import multitask.__main__
import pix2pix.__main__
from tests.pix2pix.pictures import write_side_by_side

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^    (?:python|torchrun .*) -m (pix2pix|multitask) (.*?)(?: *#.*)?$", README, re.MULTILINE)
MAIN = {"pix2pix": pix2pix.__main__.main, "multitask": multitask.__main__.main}


@pytest.mark.slow
def test_the_plain_gan_is_short_and_learns_its_data() -> None:
    (snippet,) = (each for each in SNIPPETS if "gan_loss = GANLoss(" in each)
    assert len(snippet.strip().splitlines()) <= 15
    names: dict[str, Any] = {}
    exec(snippet, names)
    sample = names["generator"](torch.randn(1000, 2))
    assert (sample.mean(0) - 3).abs().max() < 0.5  # ten seeds gave at most 0.23


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval", "ignore:Starting from v1.9.0")
def test_training_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in SNIPPETS if "Pix2Pix(" in each)
    monkeypatch.chdir(tmp_path)
    write_side_by_side(tmp_path / "datasets" / "mine", train=4, val=1, size=80)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["model"].generator.stride == 64
    assert (tmp_path / "mine.ckpt").is_file()


@pytest.mark.parametrize(("program", "command"), [each for each in COMMANDS if each[1].startswith("fit --config")])
def test_the_commands_parse(
    program: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(SystemExit) as stopped:
        MAIN[program]([*shlex.split(command), "--print_config"])
    assert stopped.value.code == 0, capsys.readouterr().err


def test_the_readme_is_read_in_one_go() -> None:
    assert len(README.splitlines()) < 200


def test_all_commands_are_known() -> None:
    known = {program: {command.split()[0] for each, command in COMMANDS if each == program} for program in MAIN}
    assert known == {
        "pix2pix": {"fit", "test", "translate", "gallery", "serve", "export", "pair", "doctor"},
        "multitask": {"fit", "compare"},
    }
