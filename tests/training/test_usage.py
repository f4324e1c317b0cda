"""How the command lines of both applications answer bad usage, bad input, and those who ask for help."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.training.programs import PROGRAMS, SILENCED, Program, read_config, write_config

ROOT = Path(__file__).parents[2]
CONFIGS = [(name, file) for name in PROGRAMS for file in sorted((ROOT / "configs" / name).glob("*.yaml"))]
COMMAND_OF = {"paper": "ablate"}  # what a configuration is for, if not fit

pytestmark = SILENCED


# --- bad usage and bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.lambda_l2", "3"], "lambda_l2"),
        (["--data.batch_size", "two"], "batch_size"),
        (["--model.nonsense.option", "two"], "nonsense"),
        (["--config", "absent.yaml"], "absent.yaml"),
        (["--wandb", "perhaps"], "wandb"),
    ],
)
def test_bad_usage_is_one_line_that_names_the_option(
    words: list[str], message: str, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = program.fails(capsys, "fit", "--config", "small.yaml", *words)
    assert message in said
    assert code == 2


def test_an_unknown_command_is_one_line_that_names_those_that_there_are(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = program.fails(capsys, "fti", "--config", "small.yaml")
    assert f"there is no command 'fti'; there are {', '.join(program.commands)}" in said
    assert code == 2
    assert program.fails(capsys)[1] == 2


def test_an_unknown_key_in_a_file_is_one_line_that_names_it(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    config = read_config()
    config["model"]["lambda_l2"] = 1
    write_config(config)
    said, code = program.fails(capsys, "fit", "--config", "small.yaml")
    assert "lambda_l2" in said
    assert code == 2


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_missing_split_is_one_line_that_names_it(
    split: str, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(f"data/{split}")
    said, code = program.fails(capsys, "fit", "--config", "small.yaml")
    assert f"data/{split}" in said
    assert code == 1


@pytest.mark.parametrize("command", ["validate", "test"])
def test_commands_that_need_a_checkpoint_say_so(
    command: str, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = program.fails(capsys, command, "--config", "small.yaml")
    assert f"{command} needs --ckpt_path" in said
    assert code == 1
    Path("text.ckpt").write_text("no checkpoint")
    torch.save(torch.ones(3), "tensor.ckpt")
    for name, reason in {"absent": "no such file", "text": "not a checkpoint", "tensor": "not a checkpoint"}.items():
        said, code = program.fails(capsys, command, "--config", "small.yaml", f"--ckpt_path={name}.ckpt")
        assert f"{name}.ckpt: {reason}" in said
        assert code == 1


def test_a_fast_trial_leaves_nothing(program: Program) -> None:
    before = sorted(Path().iterdir())
    program.main(["fit", "--config", "small.yaml", "--trainer.fast_dev_run", "true"])
    assert sorted(Path().iterdir()) == before


def test_debug_shows_where(program: Program) -> None:
    with pytest.raises(ValueError, match="absent"):
        program.main(["fit", "--config", "small.yaml", "--data.root", "absent", "--debug"])


@pytest.mark.slow
@pytest.mark.parametrize("package", ["losses", "inference", "training"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_of_the_users_that_hides_a_package_is_named(
    package: str, kind: str, program: Program, tmp_path: Path
) -> None:
    mine = tmp_path / f"{package}.py" if kind == "file" else tmp_path / package / "__init__.py"
    mine.parent.mkdir(exist_ok=True)
    mine.touch()
    command = [sys.executable, "-m", program.name, "fit", "--config", "small.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 1
    (said,) = result.stderr.splitlines()
    assert said.startswith(f"{program.name}: error: ")
    assert package in said
    assert "start the command in another folder" in said


def test_control_c_while_packages_are_imported_is_one_line(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pressed:
        def find_spec(self, name: str, *rest: object) -> None:
            if name == "training.run_command":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "training.run_command", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Pressed(), *sys.meta_path])
    with pytest.raises(SystemExit) as stopped:
        program.main(["fit", "--config", "small.yaml"])
    assert stopped.value.code == 130
    assert capsys.readouterr().err == f"{program.name}: stopped\n"


# --- configurations and help


@pytest.mark.parametrize(("name", "file"), CONFIGS, ids=lambda value: getattr(value, "stem", value))
def test_every_configuration_parses_and_every_key_is_commented(
    name: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    for words in ["--config", str(file)], [f"--config={file.stem}"]:  # by path, and by the name that it travels under
        with pytest.raises(SystemExit) as stopped:
            PROGRAMS[name].main([COMMAND_OF.get(file.stem, "fit"), *words, "--print_config"])
        assert stopped.value.code == 0
        printed = yaml.safe_load(capsys.readouterr().out)
        assert printed["name"] == file.stem
    lines = file.read_text().splitlines()
    assert lines[0].startswith("# ")
    keys = [
        line for line in lines if re.search(r": \S", line) and not line.lstrip(" -").startswith(("#", "class_path"))
    ]
    assert [line for line in keys if "# " not in line] == []
    for section in ("trainer", "model", "data"):
        given = yaml.safe_load(file.read_text())[section]
        assert set(given) <= set(printed[section])
    assert not re.search(r"\S#", file.read_text())  # that would be no comment, but part of the value
    if name == "pix2pix":
        epochs = printed["model"]["constant_epochs"] + printed["model"]["decay_epochs"]
        assert printed["trainer"]["max_epochs"] == epochs


def test_without_a_configuration_fit_is_the_demo(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["fit", "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["name"] == {"pix2pix": "emoji", "multitask": "rooms"}[program.name]


@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_help_explains_our_options(command: str, program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        program.main([command, "--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    own = {
        "--wandb": "Log to Weights & Biases too",
        "--runs": "Folder of all runs",
        "--samples.count": "how many samples",
    }
    for option, words in (own | program.help).items():
        assert option in said
        assert words in said


def test_help_lists_every_command_with_a_sentence(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        program.main(["--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert {"fit", "validate", "test", "predict"} < program.commands.keys()
    for name, command in program.commands.items():
        assert f"{name} {command.help}" in said
        assert re.fullmatch(r"[A-Z][^.]+\.", command.help)


def test_help_and_version_import_nothing_heavy(program: Program) -> None:
    code = (
        "import sys; from importlib import import_module\n"
        f"try: import_module('{program.name}.__main__').main([sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'lightning', 'numpy', 'jsonargparse', 'matplotlib', 'PIL'} & sys.modules.keys()))"
    )
    for option in "--help", "--version":
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code, option]
        said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
        assert said.splitlines()[-1] == "[]"
    assert re.fullmatch(rf"{program.name} \d+\.\d+\.\d+", said.splitlines()[0])


@pytest.mark.slow
def test_an_option_of_a_class_is_named_after_the_program_also_in_a_process_of_its_own(program: Program) -> None:
    """jsonargparse makes a parser for it, which takes the name of the file that runs for that of the program."""
    words = ["fit", "--config", "small.yaml", "--data.batch_size", "two"]
    command = [sys.executable, "-m", program.name, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"{program.name}: error: ")
