"""What the command lines of both applications promise: real runs on small data, in this process."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml

from inference import read_checkpoint
from tests.training.programs import (
    SILENCED,
    Program,
    metrics_of,
    the_run,
)
from training import ExactResume, Metrics

ROOT = Path(__file__).parents[2]

pytestmark = SILENCED


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
    files = ["checkpoints", "config.yaml", "curves.png", "health.csv", "metrics.csv", "pictures.csv", "samples"]
    assert sorted(file.name for file in run.iterdir()) == files
    assert sorted(file.name for file in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert sorted(file.name for file in (run / "samples").iterdir()) == ["epoch_000.png", "epoch_001.png"]
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["data"]["init_args"]["root"] == str(Path("data").absolute())
    assert config["data"]["init_args"]["val_split"] == "val"  # the whole configuration: defaults too

    metrics = metrics_of()
    assert program.logged <= {name for name in metrics.names if metrics.series(name)}
    assert [step for step, _ in metrics.series(program.loss)] == list(range(10))  # batches, not optimizer steps
    assert [step for step, _ in Metrics(run / "health.csv").rows] == [5, 10]
    assert "health: nothing to report" in said
    assert f"run: {run}" in said
    assert f"pictures: {run}/samples" in said
    for line in "train: 10 ", "val: 3 ", "test: 3 ":
        assert line in said
    assert said.index("train: 10 ") < said.index(program.table)


def test_a_run_is_the_same_to_the_digits_that_it_had_before(program: Program) -> None:
    """Recorded with version 0.1.0, before its code was moved; in float64, which all processors round alike."""
    then = ["--model.tasks.depth.init_args.start", f"{10 / 3}"] if program.name == "multitask" else []  # not the mean
    program.main(["fit", "--config", "small.yaml", "--trainer.precision", "64-true", *then])
    expected, found = Metrics(ROOT / "tests" / program.name / "before_0_2.csv"), metrics_of()
    assert set(expected.names) <= set(found.names)
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
    assert said.endswith(table)
    assert program.monitor.replace("val", "test") not in said  # as in Lightning's own table
    program.main(["validate", "--ckpt_path", checkpoint, "--name", "validated"])
    ((_, value),) = metrics_of("validated").series(program.monitor)
    assert value == pytest.approx(best, rel=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*could not find the monitored key")
def test_a_run_that_ends_before_its_first_validation_tests_its_last_checkpoint(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    program.main(["fit", "--config", "small.yaml", "--trainer.max_steps", "3"])
    said = capsys.readouterr().out
    assert "no validation, so no best.ckpt: testing last.ckpt" in said
    assert program.table in said
    assert [file.name for file in (the_run() / "checkpoints").iterdir()] == ["last.ckpt"]
    assert not metrics_of().series(program.monitor)


@pytest.mark.slow
def test_a_test_of_no_batches_is_left_out_and_cannot_be_asked_for(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    none = ["--trainer.limit_test_batches", "0"]
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", *none])
    said = capsys.readouterr().out
    assert "no test: trainer.limit_test_batches is 0" in said
    assert program.table not in said
    line, code = program.fails(capsys, "test", "--ckpt_path", f"{the_run()}/checkpoints/best.ckpt", *none)
    assert "no test: trainer.limit_test_batches is 0" in line
    assert code == 1


@pytest.mark.slow
def test_any_metric_chooses_the_best_checkpoint_and_ends_the_run(program: Program) -> None:
    """A rate of 0 keeps every metric where it is: no epoch after the first is better."""
    metric = {"pix2pix": "val/psnr", "multitask": "val/seg/pixel_accuracy"}[program.name]  # higher is better
    rates = {"pix2pix": ["lr_generator", "lr_discriminator"], "multitask": ["lr"]}[program.name]
    still = [word for rate in rates for word in (f"--model.{rate}", "0")]
    options = ["--monitor", metric, "--trainer.max_epochs", "9"]
    program.main(["fit", "--config", "small.yaml", *options, "--patience", "2"])
    checkpoint = read_checkpoint(the_run() / "checkpoints" / "best.ckpt")
    (state,) = (each for name, each in checkpoint["callbacks"].items() if name.startswith("ModelCheckpoint"))
    series = metrics_of().series(metric)
    assert state["best_model_score"].item() == pytest.approx(max(value for _, value in series), rel=1e-6)

    program.main(["fit", "--config", "small.yaml", *options, "--patience", "1", "--name", "still", *still])
    assert len(metrics_of("still").series(metric)) <= 3


def test_a_metric_that_is_not_there_is_one_line(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    said, code = program.fails(capsys, "fit", "--config", "small.yaml", "--monitor", "val/beauty")
    assert (code, "val/beauty" in said) == (1, True)
    said, code = program.fails(capsys, "fit", "--config", "small.yaml", "--patience", "0")
    assert (code, "patience must be at least 1, or null; got 0" in said) == (1, True)


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
    assert said == f"stopped; resume with: python -m {program.name} fit --ckpt_path {run}/checkpoints/last.ckpt"
    assert (run / "curves.png").is_file()

    program.main(said.partition(f"-m {program.name} ")[2].split())
    assert the_run() == run
    assert_same_weights("small", "whole")
    assert metrics_of().series(program.loss) == metrics_of("whole").series(program.loss)  # not a row lost, none twice
    assert (run / "health.csv").read_text() == (the_run("whole") / "health.csv").read_text()


@pytest.mark.slow
def test_going_on_from_an_older_checkpoint_replaces_what_came_after_it(program: Program) -> None:
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoints = the_run() / "checkpoints"
    shutil.copy(checkpoints / "last.ckpt", checkpoints / "first.ckpt")
    for name in "last", "first":
        program.main(["fit", f"--ckpt_path={checkpoints}/{name}.ckpt", "--trainer.max_epochs", "2"])
    assert [step for step, _ in metrics_of().series(program.loss)] == list(range(10))
    assert len(metrics_of().series(program.monitor.replace("val", "test"))) == 1
    assert [step for step, _ in Metrics(the_run() / "health.csv").rows] == [5, 10]


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


def test_options_of_the_model_that_the_command_line_names_win_over_the_checkpoints_but_not_its_networks(
    program: Program,
) -> None:
    own = {"pix2pix": ("lambda_l1", "generator.levels"), "multitask": ("lr", "tasks.depth.width")}[program.name]
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoint = the_run() / "checkpoints" / "last.ckpt"
    words = [f"--model.{own[0]}", "0.5", f"--model.{own[1]}", "4", "--name", "again"]
    shutil.copy(checkpoint, "first.ckpt")  # outside of the run, so that the next one has a folder of its own
    program.main(["fit", "--config", "small.yaml", "--ckpt_path", "first.ckpt", *words])
    before, after = (
        torch.load(file, weights_only=True)["hyper_parameters"]
        for file in ("first.ckpt", the_run("again") / "checkpoints" / "last.ckpt")
    )
    assert after[own[0]] == 0.5 != before[own[0]]
    network = own[1].partition(".")[0]
    assert after[network] == before[network]
