"""What the README says, done."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.testing import assert_close

import losses
import multitask.__main__
import pix2pix.__main__
from losses.convention import Loss
from multitask import MultiTask
from tests.multitask.scenes import write_scenes
from tests.pix2pix.pictures import write_side_by_side
from tests.training.programs import MULTITASK

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^    (?:python|torchrun .*) -m (pix2pix|multitask) (.*?)(?: *#.*)?$", README, re.MULTILINE)
MAIN = {"pix2pix": pix2pix.__main__.main, "multitask": multitask.__main__.main}


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
    (snippet,) = (each for each in SNIPPETS if "Pix2Pix(" in each)
    monkeypatch.chdir(tmp_path)
    write_side_by_side(tmp_path / "datasets" / "mine", train=4, val=1, size=80)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["model"].generator.stride == 64
    assert (tmp_path / "mine.ckpt").is_file()


@pytest.mark.filterwarnings(
    "ignore:.*is smaller than the logging interval", "ignore:You are using a custom batch sampler"
)
def test_training_several_tasks_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in SNIPPETS if "MultiTask(" in each)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["measures"]["test/depth/abs"] < 2  # metres; the rooms are some eight metres deep
    assert names["model"].weighting.alpha == 0.5


@pytest.mark.filterwarnings(
    "ignore:.*is smaller than the logging interval", "ignore:You are using a custom batch sampler"
)
def test_a_task_in_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in SNIPPETS if "class LogDepth" in each)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_tasks.py").write_text(snippet)
    config = MULTITASK.config(write_scenes(tmp_path / "data"))
    config["model"]["tasks"]["depth"] = {"class_path": "my_tasks.LogDepth", "init_args": {"farthest": 5.0, "width": 8}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(sys, "argv", ["multitask"])
    multitask.__main__.main(["fit", "--config", "mine.yaml"])
    (checkpoint,) = tmp_path.glob("runs/small/*/checkpoints/best.ckpt")
    model = MultiTask.load_from_checkpoint(checkpoint, weights_only=True).eval()
    assert type(model.tasks["depth"]).__name__ == "LogDepth"
    logarithm = model(torch.rand(1, 3, 16, 24))["depth"]
    assert_close(model.named_tasks()["depth"].decode(logarithm), logarithm.exp())
    assert (logarithm.exp() - 5 / 3).abs().max() < 1  # where it has started


@pytest.mark.parametrize(("program", "command"), [each for each in COMMANDS if each[1].startswith("fit --config")])
def test_the_commands_parse(
    program: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(SystemExit) as stopped:
        MAIN[program]([*shlex.split(command), "--print_config"])
    assert stopped.value.code == 0, capsys.readouterr().err


def test_all_commands_are_known() -> None:
    known = {program: {command.split()[0] for each, command in COMMANDS if each == program} for program in MAIN}
    assert known == {"pix2pix": {"fit", "test", "predict", "pair"}, "multitask": {"fit", "compare"}}
