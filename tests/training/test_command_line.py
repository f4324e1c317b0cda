"""What the command lines of both applications promise: real runs on small data, in this process."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml

from inference import read_picture
from tests.training.programs import (
    PROGRAMS,
    SILENCED,
    Program,
    metrics_of,
    read_config,
    the_run,
    write_config,
)
from tests.training.wandb_file import read_run
from training import ExactResume, Metrics

ROOT = Path(__file__).parents[2]
CONFIGS = [(name, file) for name in PROGRAMS for file in sorted((ROOT / "configs" / name).glob("*.yaml"))]

pytestmark = SILENCED


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    program = PROGRAMS[request.param]
    program.enter(tmp_path, monkeypatch)
    yield program
    torch.use_deterministic_algorithms(False)


def weights_of(name: str, checkpoint: str = "last") -> dict[str, torch.Tensor]:
    file = the_run(name) / "checkpoints" / f"{checkpoint}.ckpt"
    state: dict[str, torch.Tensor] = torch.load(file, weights_only=True)["state_dict"]
    return state


def assert_same_weights(one: str, other: str) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


# --- what a run leaves


def test_fit_leaves_everything_and_says_where(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["fit", "--config", "small.yaml"])
    run, said = the_run(), capsys.readouterr().out
    files = ["checkpoints", "config.yaml", "curves.png", "metrics.csv", "samples"]
    assert sorted(file.name for file in run.iterdir()) == files
    assert sorted(file.name for file in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert sorted(file.name for file in (run / "samples").iterdir()) == ["epoch_000.png", "epoch_001.png"]
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["data"]["init_args"]["root"] == str(Path("data").absolute())
    assert config["data"]["init_args"]["val_split"] == "val"  # the whole configuration: defaults too

    metrics = metrics_of()
    assert program.logged <= {name for name in metrics.names if metrics.series(name)}
    assert [step for step, _ in metrics.series(program.loss)] == list(range(10))  # batches, not optimizer steps
    assert f"run: {run}" in said
    assert f"pictures: {run}/samples" in said
    for line in "train: 10 ", "val: 3 ", "test: 3 ":
        assert line in said
    assert said.index("train: 10 ") < said.index(program.table)


def test_a_run_is_the_same_to_the_digits_that_it_had_before(program: Program) -> None:
    """Recorded with version 0.1.0, before its code was moved; in float64, which all processors round alike."""
    program.main(["fit", "--config", "small.yaml", "--trainer.precision", "64-true"])
    expected, found = Metrics(ROOT / "tests" / program.name / "before_0_2.csv"), metrics_of()
    assert found.names == expected.names
    for name in expected.names:
        assert found.series(name) == [
            (step, pytest.approx(value, rel=1e-5, abs=1e-7, nan_ok=True)) for step, value in expected.series(name)
        ], name


@pytest.mark.slow
def test_the_same_command_gives_the_same_weights(program: Program) -> None:
    for name in "first", "second":
        program.main(["fit", "--config", "small.yaml", "--name", name])
    assert_same_weights("first", "second")


@pytest.mark.slow
def test_test_and_validate_find_what_fit_found(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["fit", "--config", "small.yaml"])
    checkpoint = f"{the_run()}/checkpoints/best.ckpt"
    best = min(value for _, value in metrics_of().series(program.monitor))
    said = capsys.readouterr().out
    table = said[said.index(program.table) : said.index("pictures:")]
    program.main(["test", "--ckpt_path", checkpoint, "--name", "tested"])  # with the run's own configuration
    said = capsys.readouterr().out
    assert said[said.index(program.table) :] == table
    program.main(["validate", "--ckpt_path", checkpoint, "--name", "validated"])
    ((_, value),) = metrics_of("validated").series(program.monitor)
    assert value == pytest.approx(best, rel=1e-6)


@pytest.mark.slow
def test_predict_writes_files_for_every_sample(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    program.main(["predict", "--ckpt_path", f"{the_run()}/checkpoints/best.ckpt", "--name", "predicted"])
    folder = the_run("predicted") / "predictions"
    assert sorted(file.name for file in folder.iterdir()) == program.predictions
    assert f"predictions: {folder}" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_without_test_data_says_so_before_it_starts(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("data/test")
    program.main(["fit", "--config", "small.yaml"])
    said = capsys.readouterr().out
    assert re.search(r"test: none, so the run ends without a test \(.*data.test", said)
    assert said.index("test: none") < said.index("no test: ")
    assert program.table not in said
    assert f"pictures: {the_run()}/samples" in said
    assert not any(name.startswith("test/") for name in metrics_of().names)


@pytest.mark.slow
def test_tensorboard_and_wandb_hold_the_same_numbers(program: Program) -> None:
    wandb = pytest.importorskip("wandb")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = ["--trainer.logger", "lightning.pytorch.loggers.TensorBoardLogger", "--trainer.logger.save_dir", "board"]
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--wandb", "offline", *logger])
    wandb.finish()
    wandb.teardown()  # waits for W&B's own process, which writes the file
    expected = [value for _, value in metrics_of().series(program.loss)]
    events = accumulator.EventAccumulator(str(next(Path("board").rglob("events.*")).parent))
    events.Reload()
    assert [event.value for event in events.Scalars(program.loss)] == pytest.approx(expected)
    assert len(events.Images("samples")) == 1

    (folder,) = (the_run() / "wandb").glob("offline-run-*")
    (file,) = folder.glob("*.wandb")
    history, config = read_run(file)
    assert [float(row[program.loss]) for row in history if program.loss in row] == pytest.approx(expected)
    assert program.logged <= {key for row in history for key in row}
    assert json.loads(config["data"])["init_args"]["batch_size"] == 2
    (picture,) = folder.glob("files/media/images/samples_*.png")
    assert read_picture(picture).size == read_picture(the_run() / "samples" / "epoch_000.png").size


@pytest.mark.slow
def test_wandb_online_without_a_key_is_one_line(program: Program, tmp_path: Path) -> None:
    """In a process of its own: W&B remembers, for the whole process, that a run was offline."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}  # no key in an empty home
    command = [sys.executable, "-m", program.name, "fit", "--config", "small.yaml", "--wandb", "online"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    said = result.stderr.splitlines()[-1]
    assert result.returncode == 1
    assert said.startswith(f"{program.name}: error: --wandb online: ")
    assert "wandb login" in said
    assert "Traceback" not in result.stderr


# --- stopping and going on


class StopInTheSecondEpoch(ExactResume):
    """Does its work, and sends Ctrl-C in the second batch of the second epoch."""

    def on_train_batch_start(self, trainer: pl.Trainer, *rest: Any) -> None:
        super().on_train_batch_start(trainer, *rest)
        if trainer.global_step == 6:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_saves_and_the_command_that_it_names_goes_on_in_the_same_run(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program.main(["fit", "--config", "small.yaml", "--name", "whole"])
    with monkeypatch.context() as patched:
        patched.setattr("training.command_line.ExactResume", StopInTheSecondEpoch)
        with pytest.raises(SystemExit) as stopped:
            program.main(["fit", "--config", "small.yaml"])
    assert stopped.value.code == 128 + signal.SIGINT
    said = capsys.readouterr().out.splitlines()[-1]
    run = the_run()
    assert said == f"stopped; go on with: python -m {program.name} fit --ckpt_path {run}/checkpoints/last.ckpt"
    assert (run / "curves.png").is_file()

    program.main(said.partition(f"-m {program.name} ")[2].split())
    assert the_run() == run
    assert_same_weights("small", "whole")
    assert metrics_of().series(program.loss) == metrics_of("whole").series(program.loss)  # not a row lost, none twice


@pytest.mark.slow
def test_going_on_from_an_older_checkpoint_replaces_what_came_after_it(program: Program) -> None:
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoints = the_run() / "checkpoints"
    shutil.copy(checkpoints / "last.ckpt", checkpoints / "first.ckpt")
    for name in "last", "first":
        program.main(["fit", f"--ckpt_path={checkpoints}/{name}.ckpt", "--trainer.max_epochs", "2"])
    assert [step for step, _ in metrics_of().series(program.loss)] == list(range(10))
    assert len(metrics_of().series(program.monitor.replace("val", "test"))) == 1


@pytest.mark.slow
def test_two_processes_from_the_command_line(program: Program) -> None:
    words = ["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--trainer.devices", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", program.name, *words]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("this model") == result.stdout.count("train: 10 ") == 1
    last = torch.load(the_run() / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2  # 10 samples, 2 x 2 in a batch


# --- checkpoints written before 0.2.0, whose classes have moved since


@pytest.mark.slow
def test_an_older_checkpoint_is_rebuilt_tested_and_trained_on(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ROOT / "tests" / program.name / "before_0_2.ckpt"
    model = program.model.load_from_checkpoint(file)
    old = torch.load(file, weights_only=True)
    assert [value.shape for value in model.state_dict().values()] == [v.shape for v in old["state_dict"].values()]
    assert all(map(torch.equal, model.state_dict().values(), old["state_dict"].values()))

    program.main(["test", "--config", "small.yaml", "--ckpt_path", str(file), "--name", "tested"])
    assert program.table in capsys.readouterr().out
    words = ["--ckpt_path", str(file), "--trainer.max_epochs", "3", "--name", "longer"]
    program.main(["fit", "--config", "small.yaml", *words])
    assert torch.load(the_run("longer") / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 15


@pytest.mark.slow
def test_a_checkpoint_rebuilds_its_model(program: Program) -> None:
    program.main(["fit", "--config", "small.yaml"])
    file = the_run() / "checkpoints" / "best.ckpt"
    model, state = program.model.load_from_checkpoint(file), torch.load(file, weights_only=True)["state_dict"]
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


# --- bad usage and bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.lambda_l2", "3"], "lambda_l2"),
        (["--data.batch_size", "two"], "batch_size"),
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


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
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


# --- configurations and help


@pytest.mark.parametrize(("name", "file"), CONFIGS, ids=lambda value: getattr(value, "stem", value))
def test_every_configuration_parses_and_every_key_is_commented(
    name: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    for word in str(file), file.stem:  # by path, and by the name that it travels under
        with pytest.raises(SystemExit) as stopped:
            PROGRAMS[name].main(["fit", "--config", word, "--print_config"])
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


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
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
