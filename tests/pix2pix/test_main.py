"""The command line as its users meet it: real runs on small pictures, in this process."""

import csv
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

from pix2pix import Pix2Pix
from pix2pix.__main__ import main
from pix2pix.data.images import open_image
from tests.pix2pix.pictures import write_picture, write_side_by_side
from tests.training.wandb_file import read_run
from training import ExactResume

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "pix2pix").glob("*.yaml"))

# Lightning warns, once in a process, of what the command line silences for its users.
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a custom batch sampler"),
    pytest.mark.filterwarnings("ignore:.*The dirpath has changed from"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*Trainer configured with multiple"),
]


def small_config(root: Path) -> dict[str, Any]:
    network = {"base_channels": 4}
    return {
        "name": "small",
        "wandb": "off",
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1},
        "model": {
            "generator": {"class_path": "pix2pix.UNetGenerator", "init_args": {**network, "levels": 3}},
            "discriminator": {"class_path": "pix2pix.PatchDiscriminator", "init_args": {**network, "layers": 1}},
        },
        "data": {
            "class_path": "pix2pix.data.PairedImages",
            "init_args": {
                "root": str(root),
                "load_size": 18,
                "crop_size": 16,
                "batch_size": 2,
                "num_workers": 0,
                "color_jitter": 0.1,
            },
        },
    }


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pix2pix"])
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "WANDB_MODE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    write_side_by_side(tmp_path / "data")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small_config(tmp_path / "data")))
    yield
    torch.use_deterministic_algorithms(False)


def the_run(name: str = "small") -> Path:
    (run,) = Path("runs", name).iterdir()
    return run


def rows_of(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, int]:
    """Run a command that fails, and give the only line that it says on stderr, and its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main(words)
    code = stopped.value.code
    said = code if isinstance(code, str) else capsys.readouterr().err.strip()
    assert "\n" not in said
    assert said.startswith("pix2pix: error: ")
    return said, 1 if isinstance(code, str) else int(code or 0)


# --- what a run leaves


def test_fit_leaves_everything_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml"])
    run, said = the_run(), capsys.readouterr().out
    assert sorted(file.name for file in run.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "curves.png",
        "metrics.csv",
        "samples",
    ]
    assert sorted(file.name for file in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert sorted(file.name for file in (run / "samples").iterdir()) == ["epoch_000.png", "epoch_001.png"]
    assert open_image(run / "curves.png").size == (1800, 800)

    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["lambda_l1"] == 100.0  # the whole configuration: defaults too
    assert config["data"]["init_args"]["root"] == str(Path("data").absolute())

    rows = rows_of(run)
    logged = {key for row in rows for key, value in row.items() if value}
    expected = {f"train/{name}" for name in ("G_gan", "G_l1", "D_real", "D_fake", "D_output_real", "D_output_fake")}
    expected |= {"lr/G", "lr/D", "val/l1", "val/psnr", "val/ssim", "test/l1", "test/psnr", "test/ssim"}
    assert expected <= logged
    assert max(int(row["step"]) for row in rows if row["train/G_gan"]) == 9  # batches, not optimiser steps

    for line in "this model", "copy the input", "mean picture", "nearest in training":
        assert line in said
    assert f"run: {run}" in said
    assert f"pictures: {run}/samples" in said
    test_row = next(row for row in rows if row["test/l1"])
    assert f"this model            {float(test_row['test/l1']):.4f}" in said

    model = Pix2Pix.load_from_checkpoint(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert model.generator.stride == 8


def test_the_same_command_gives_the_same_weights(tmp_path: Path) -> None:
    states = []
    for name in "first", "second":
        main(["fit", "--config", "small.yaml", "--name", name])
        states.append(torch.load(the_run(name) / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_test_and_validate_measure_what_fit_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml"])
    run = the_run()
    table = capsys.readouterr().out
    table = table[table.index("test pairs") :].splitlines()[:5]
    main(["test", "--ckpt_path", f"{run}/checkpoints/best.ckpt"])  # with the run's own configuration
    said = capsys.readouterr().out
    assert said[said.index("test pairs") :].splitlines()[:5] == table
    main(["validate", "--ckpt_path", f"{run}/checkpoints/best.ckpt"])
    rows = rows_of(run)
    best = min(float(row["val/l1"]) for row in rows if row["val/l1"])
    validated = max(Path("runs/small").iterdir(), key=lambda path: path.stat().st_mtime)
    (row,) = rows_of(validated)
    assert float(row["val/l1"]) == pytest.approx(best, rel=1e-6)


def test_predict_writes_a_png_for_every_input(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoint = the_run() / "checkpoints" / "best.ckpt"
    main(["predict", "--ckpt_path", str(checkpoint), "--name", "predicted"])
    written = sorted((the_run("predicted") / "predictions").iterdir())
    assert [file.name for file in written] == ["test00.png", "test01.png", "test02.png"]
    assert open_image(written[0]).size == (16, 16)
    assert f"predictions: {the_run('predicted')}/predictions" in capsys.readouterr().out


def test_wandb_offline_holds_losses_measures_configuration_and_pictures() -> None:
    main(["fit", "--config", "small.yaml", "--wandb", "offline", "--trainer.max_epochs", "1"])
    import wandb

    wandb.finish()
    wandb.teardown()  # waits for W&B's own process, which writes the file
    (folder,) = (the_run() / "wandb").glob("offline-run-*")
    (file,) = folder.glob("*.wandb")
    history, config = read_run(file)
    logged = {key for row in history for key in row}
    assert {"train/G_gan", "train/D_real", "lr/G", "val/l1", "val/ssim", "test/l1"} <= logged
    assert json.loads(config["model"])["lambda_l1"] == 100.0
    assert any(key.startswith("samples") for key in logged)
    (picture,) = folder.glob("files/media/images/samples_*.png")
    assert open_image(picture).size == open_image(the_run() / "samples/epoch_000.png").size


def test_wandb_online_without_a_key_is_one_line(tmp_path: Path) -> None:
    """In a process of its own: W&B remembers, for the whole process, that a run was offline."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}  # no key in an empty home
    command = [sys.executable, "-m", "pix2pix", "fit", "--config", "small.yaml", "--wandb", "online"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    said = result.stderr.splitlines()[-1]
    assert result.returncode == 1
    assert said.startswith("pix2pix: error: --wandb online: ")
    assert "wandb login" in said
    assert "Traceback" not in result.stderr


# --- stopping and going on


class StopInTheSecondEpoch(ExactResume):
    """Does its work, and sends Ctrl-C in the second batch of the second epoch."""

    def on_train_batch_start(self, trainer: pl.Trainer, *rest: Any) -> None:
        super().on_train_batch_start(trainer, *rest)
        if trainer.global_step == 6:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_saves_and_the_command_that_it_names_goes_on_in_the_same_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["fit", "--config", "small.yaml", "--name", "whole"])
    with monkeypatch.context() as patched:
        patched.setattr("training.command_line.ExactResume", StopInTheSecondEpoch)
        with pytest.raises(SystemExit) as stopped:
            main(["fit", "--config", "small.yaml"])
    assert stopped.value.code == 128 + signal.SIGINT
    said = capsys.readouterr().out.splitlines()[-1]
    run = the_run()
    assert said == f"stopped; go on with: python -m pix2pix fit --ckpt_path {run}/checkpoints/last.ckpt"
    assert (run / "curves.png").is_file()

    main(said.partition("-m pix2pix ")[2].split())
    assert the_run() == run
    whole, resumed = (
        torch.load(the_run(n) / "checkpoints" / "last.ckpt", weights_only=True) for n in ("whole", "small")
    )
    assert all(torch.equal(whole["state_dict"][name], tensor) for name, tensor in resumed["state_dict"].items())
    steps = [
        [(row["step"], row["train/G_gan"]) for row in rows_of(the_run(n)) if row["train/G_gan"]]
        for n in ("whole", "small")
    ]
    assert steps[0] == steps[1]  # not a row lost, not one twice


def test_going_on_from_an_older_checkpoint_replaces_what_came_after_it() -> None:
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoints = the_run() / "checkpoints"
    shutil.copy(checkpoints / "last.ckpt", checkpoints / "first.ckpt")
    for name in "last", "first":
        main(["fit", f"--ckpt_path={checkpoints}/{name}.ckpt", "--trainer.max_epochs", "2"])
    steps = [int(row["step"]) for row in rows_of(the_run()) if row["train/G_gan"]]
    assert steps == list(range(10))
    assert len([row for row in rows_of(the_run()) if row["test/l1"]]) == 1


def test_two_processes_from_the_command_line() -> None:
    words = ["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--trainer.devices", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run([sys.executable, "-m", "pix2pix", *words], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("this model") == 1
    assert torch.load(the_run() / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2  # 10 pairs, 2 x 2


# --- bad usage and bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.lambda_l2", "3"], "lambda_l2"),
        (["--model.lambda_l1", "abc"], "model.lambda_l1"),
        (["--model.gan_mode", "wgangp"], "model.gan_mode"),
        (["--data.batch_size", "two"], "batch_size"),
        (["--config", "absent.yaml"], "absent.yaml"),
    ],
)
def test_bad_usage_is_one_line_that_names_the_option(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = fails(capsys, "fit", "--config", "small.yaml", *words)
    assert message in said
    assert code == 2


def test_an_unknown_key_in_a_file_is_one_line_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    config = yaml.safe_load(Path("small.yaml").read_text())
    config["model"]["lambda_l2"] = 1
    Path("small.yaml").write_text(yaml.safe_dump(config))
    said, code = fails(capsys, "fit", "--config", "small.yaml")
    assert "lambda_l2" in said
    assert code == 2


def break_pictures(what: str) -> None:
    if what == "missing":
        shutil.rmtree("data/train")
    elif what == "empty":
        shutil.rmtree("data/train")
        Path("data/train").mkdir()
    elif what == "corrupt":
        Path("data/train/train03.png").write_bytes(Path("data/train/train03.png").read_bytes()[:200])
    elif what == "odd":
        write_picture(Path("data/train/train03.png"), 31, 16)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", "data/train: no such folder"),
        ("empty", "data/train: no pictures in this folder"),
        ("corrupt", "data/train/train03.png: damaged"),
        ("odd", "data/train/train03.png: 31 pixels wide"),
    ],
)
@pytest.mark.parametrize("workers", ["0", "1"])
def test_bad_pictures_are_one_line_that_names_the_file(
    what: str, message: str, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_pictures(what)
    said, code = fails(capsys, "fit", "--config", "small.yaml", "--data.num_workers", workers)
    assert message in said
    assert code == 1


def test_a_without_b_and_sizes_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "AB":
        for split in ("train", "val"):
            write_picture(Path("two", folder, split, "1.png"))
    words = ["fit", "--config", "small.yaml", "--data.root", "two", "--data.layout", "pix2pix.data.TwoFolders"]
    write_picture(Path("two/A/train/2.png"))
    said, code = fails(capsys, *words)
    assert (code, "two/A/train/2.png: no picture of this name in two/B/train" in said) == (1, True)
    write_picture(Path("two/B/train/2.png"), 16, 20)
    said, code = fails(capsys, *words)
    assert (code, "two/A/train/2.png: 16 x 16 pixels, not the same 16 x 20" in said) == (1, True)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_commands_that_need_a_checkpoint_say_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said, code = fails(capsys, command, "--config", "small.yaml")
    assert f"{command} needs --ckpt_path" in said
    assert code == 1
    Path("text.ckpt").write_text("no checkpoint")
    torch.save(torch.ones(3), "tensor.ckpt")
    for name, reason in {"absent": "no such file", "text": "no checkpoint", "tensor": "no checkpoint"}.items():
        said, code = fails(capsys, command, "--config", "small.yaml", f"--ckpt_path={name}.ckpt")
        assert f"{name}.ckpt: {reason}" in said
        assert code == 1


def test_a_size_that_the_network_cannot_take_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said, code = fails(capsys, "fit", "--config", "small.yaml", "--data.crop_size", "12")
    assert "12 x 12 (height x width) do not fit, both must be multiples of 8: take height 8 or 16" in said
    assert code == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--data.input_channels", "pictures of 1 channels do not fit, it takes 3: set its in_channels"),
        ("--data.target_channels", "makes pictures of 3 x 16 x 16 .* targets are 1 x 16 x 16: set its out_channels"),
    ],
)
def test_channels_that_differ_are_one_line(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    said, code = fails(capsys, "fit", "--config", "small.yaml", option, "1")
    assert re.search(message, said)
    assert code == 1


def test_a_layout_with_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("left", "right"):
        for split in ("train", "val", "test"):
            for number in "12":
                write_picture(Path("two", folder, split, f"{number}.png"))
    config = yaml.safe_load(Path("small.yaml").read_text())
    layout = {"class_path": "pix2pix.data.TwoFolders", "init_args": {"folder_a": "left", "folder_b": "right"}}
    config["data"]["init_args"] |= {"root": "two", "layout": layout}
    Path("small.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    assert yaml.safe_load((the_run() / "config.yaml").read_text())["data"]["init_args"]["layout"] == layout


def test_a_fast_trial_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path().iterdir())
    main(["fit", "--config", "small.yaml", "--trainer.fast_dev_run", "true"])
    assert sorted(Path().iterdir()) == before


def test_debug_shows_where() -> None:
    with pytest.raises(ValueError, match="no such folder"):
        main(["fit", "--config", "small.yaml", "--data.root", "absent", "--debug"])


# --- configurations and help


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_configuration_parses_and_every_key_is_commented(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for word in str(file), file.stem:  # by path, and by the name that it travels under
        with pytest.raises(SystemExit) as stopped:
            main(["fit", "--config", word, "--print_config"])
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
    epochs = printed["model"]["constant_epochs"] + printed["model"]["decay_epochs"]
    assert printed["trainer"]["max_epochs"] == epochs


def test_without_a_configuration_fit_is_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["data"]["class_path"] == "pix2pix.data.Emoji"


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_help_explains_our_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for option, words in {
        "--model.lambda_l1": "weight of the L1 term",
        "--model.gan_mode": "the adversarial loss",
        "--wandb": "Log to Weights & Biases too",
        "--runs": "Folder of all runs",
        "--samples.count": "how many pairs",
    }.items():
        assert option in said
        assert words in said


def test_the_commands_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(command in said for command in ("fit", "validate", "test", "predict", "pix2pix pair A B OUT"))


def test_pair(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "AB":
        write_picture(Path(folder, "train", "1.png"))
    main(["pair", "A", "B", "out"])
    assert capsys.readouterr().out.strip() == "1 pairs written to out, 0 skipped"
    said, code = fails(capsys, "pair", "A", "absent", "out")
    assert (code, "absent: no such folder" in said) == (1, True)
    said, code = fails(capsys, "pair", "A")
    assert code == 2
