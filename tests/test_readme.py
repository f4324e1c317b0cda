"""What the README says, done."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import losses
from losses.convention import Loss
from pix2pix.__main__ import main
from tests.pix2pix.pictures import write_side_by_side

README = (Path(__file__).parents[1] / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^    (?:python|torchrun .*) -m pix2pix (.*?)(?: *#.*)?$", README, re.MULTILINE)


def test_the_plain_gan_is_short_and_learns_its_data() -> None:
    (snippet,) = (each for each in SNIPPETS if "gan_loss = GANLoss(" in each)
    assert len(snippet.strip().splitlines()) <= 15
    names: dict[str, Any] = {}
    exec(snippet, names)
    sample = names["generator"](torch.randn(1000, 2))
    assert (sample.mean(0) - 3).abs().max() < 1


def test_losses_together() -> None:
    (snippet,) = (each for each in SNIPPETS if "NTXentLoss(" in each)
    assert len(snippet.strip().splitlines()) <= 11
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["loss"].dtype == torch.float32
    assert names["logits"].grad.isfinite().all()


def test_the_table_of_losses_is_whole() -> None:
    table = README[README.index("## Losses") : README.index("[Choosing a loss]")]
    classes = [value for value in vars(losses).values() if isinstance(value, type) and issubclass(value, Loss)]
    assert {cls.__name__ for cls in classes} <= set(re.findall(r"`(\w+)`", table))


@pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval", "ignore:Starting from v1.9.0")
def test_training_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in SNIPPETS if "pl.Trainer(" in each)
    monkeypatch.chdir(tmp_path)
    write_side_by_side(tmp_path / "datasets" / "mine", train=4, val=1, size=80)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["model"].generator.stride == 64
    assert (tmp_path / "mine.ckpt").is_file()


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("fit --config")])
def test_the_commands_parse(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["pix2pix"])
    with pytest.raises(SystemExit) as stopped:
        main([*shlex.split(command), "--print_config"])
    assert stopped.value.code == 0, capsys.readouterr().err


def test_all_commands_are_known() -> None:
    assert {command.split()[0] for command in COMMANDS} == {"fit", "test", "predict", "pair"}
