"""What runs log to Weights & Biases, read back from its offline files, and to TensorBoard."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from inference import open_picture
from tests.training.programs import PIX2PIX, SILENCED, Program, metrics_of, the_run
from tests.training.wandb_file import artifacts, read_run, read_summary, run_record
from training.loggers import wandb_loggers

wandb = pytest.importorskip("wandb")

ROOT = Path(__file__).parents[2]
STEP = "trainer/global_step"

pytestmark = SILENCED


def finish() -> None:
    """End the run of this process, and wait for W&B's own process, which writes the file."""
    wandb.finish()
    wandb.teardown()


@pytest.fixture(autouse=True)
def _finished(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "20")
    monkeypatch.setenv("WANDB_MODE", "offline")  # which Lightning sets, for the whole process
    yield
    finish()


def offline_files(run: Path) -> list[Path]:
    return sorted(run.glob("wandb/offline-run-*/*.wandb"))


@pytest.mark.slow
def test_tensorboard_and_wandb_hold_the_same_numbers_pictures_and_health(program: Program) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = ["--trainer.logger", "lightning.pytorch.loggers.TensorBoardLogger", "--trainer.logger.save_dir", "board"]
    options = ["--trainer.max_epochs", "1", "--wandb", "offline", "--wandb_checkpoint", "best", "--samples.count", "2"]
    program.main(["fit", "--config", "small.yaml", *options, *logger])
    finish()
    expected = [value for _, value in metrics_of().series(program.loss)]
    events = accumulator.EventAccumulator(str(next(Path("board").rglob("events.*")).parent))
    events.Reload()
    assert [event.value for event in events.Scalars(program.loss)] == pytest.approx(expected)
    assert len(events.Images("samples")) == 1
    (text,) = events.Tensors("health/text_summary")
    assert text.tensor_proto.string_val == [b"nothing to report"]

    run = the_run()
    (file,) = offline_files(run)
    history, config = read_run(file)
    assert [float(row[program.loss]) for row in history if program.loss in row] == pytest.approx(expected)
    assert program.logged <= {key for row in history for key in row}
    assert json.loads(config["data"])["init_args"]["batch_size"] == 2
    (picture,) = file.parent.glob("files/media/images/samples_*.png")
    assert open_picture(picture).size == open_picture(run / "samples" / "epoch_000.png").size

    summary = read_summary(file)
    assert summary["health"] == "nothing to report"
    measured = metrics_of().last("test/")
    assert {name: summary[f"test/{name}"] for name in measured} == pytest.approx(measured)

    table, checkpoint = artifacts(file)
    entries = {
        entry.path: Path(entry.local_path) for entry in [*table.manifest.contents, *checkpoint.manifest.contents]
    }
    assert all(copy.is_relative_to(run.absolute()) for copy in entries.values())
    content = json.loads(entries["samples_table.table.json"].read_text())
    sheet = Image.open(run / "samples" / "epoch_000.png").convert("RGB")
    assert [row[0] for row in content["data"]] == ["val00", "val01"]  # of three, spread evenly
    for row in content["data"]:
        for cell in row[1:]:
            assert contains(sheet, Image.open(entries[cell["path"]]).convert("RGB"))

    best = (run / "checkpoints" / "best.ckpt").read_bytes()
    assert (checkpoint.type, checkpoint.name) == ("model", f"model-small-{run.name}")
    assert {"best"} <= {*checkpoint.aliases} <= {"best", "latest"}
    (entry,) = checkpoint.manifest.contents
    assert (entry.path, entry.digest) == ("best.ckpt", base64.b64encode(hashlib.md5(best).digest()).decode())
    assert entries["best.ckpt"].read_bytes() == best


def contains(whole: Image.Image, part: Image.Image) -> bool:
    """Whether one picture has another somewhere in it."""
    pixels, wanted = np.asarray(whole), np.asarray(part)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, wanted.shape)
    return bool((windows == wanted).all(axis=(-3, -2, -1)).any())


@pytest.mark.slow
def test_a_resumed_run_is_the_same_run_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PIX2PIX.enter(tmp_path, monkeypatch)
    options = ["--wandb", "offline", "--wandb_checkpoint", "last"]
    PIX2PIX.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", *options])
    finish()
    run = the_run()
    PIX2PIX.main(["fit", f"--ckpt_path={run}/checkpoints/last.ckpt", "--trainer.max_epochs", "2", *options])
    finish()
    before, after = offline_files(run)
    assert run_record(before).run_id == run_record(after).run_id == f"small-{run.name}"

    history, _ = read_run(after)
    for name in PIX2PIX.logged:  # not a row lost, none twice, and in order
        logged = [(int(row[STEP]), float(row[name])) for row in history if name in row]
        assert logged == [(step, pytest.approx(value)) for step, value in metrics_of().series(name)], name
    assert [row["_step"] for row in history] == [str(number) for number in range(len(history))]
    assert [int(row[STEP]) for row in history if "samples._type" in row] == [5, 10]
    pictures = list(after.parent.glob("files/media/images/samples_*.png"))
    drawn = (run / "samples").iterdir()
    assert {Image.open(file).tobytes() for file in pictures} == {Image.open(file).tobytes() for file in drawn}

    checkpoints = [one for file in (before, after) for one in artifacts(file) if one.type == "model"]
    assert [one.name for one in checkpoints] == 2 * [f"model-small-{run.name}"]  # so two versions of one artifact
    copies = [Path(one.manifest.contents[0].local_path).read_bytes() for one in checkpoints]
    assert copies[0] != copies[1] == (run / "checkpoints" / "last.ckpt").read_bytes()


def test_a_run_of_a_sweep_is_the_one_that_the_agent_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb.teardown()  # it reads its variables once
    monkeypatch.setenv("WANDB_SWEEP_ID", "swept")
    monkeypatch.setenv("WANDB_RUN_ID", "named")
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    run = tmp_path / "mine" / "now"
    run.mkdir(parents=True)
    (logger,) = wandb_loggers("offline", "pix2pix", run)
    logger.log_metrics({"val/l1": 0.5}, 3)
    finish()
    (file,) = offline_files(run)
    record = run_record(file)
    assert (record.run_id, record.sweep_id, record.project) == ("named", "swept", "theirs")
    assert record.display_name == "mine now"
    assert read_summary(file)["val/l1"] == 0.5


def test_fit_takes_what_the_agent_of_the_documented_sweep_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = re.findall(r"```yaml\n(# sweep.yaml\n.*?)```", (ROOT / "docs" / "wandb.md").read_text(), re.DOTALL)
    sweep = yaml.safe_load(text)
    chosen = {
        name: found["values"][-1] if "values" in found else found["min"] for name, found in sweep["parameters"].items()
    }
    env, interpreter, module, program, *words, last = sweep["command"]
    assert (env, interpreter, module, program, last) == ("${env}", "${interpreter}", "-m", "pix2pix", "${args}")
    PIX2PIX.enter(tmp_path, monkeypatch)
    with pytest.raises(SystemExit):
        PIX2PIX.main([*words, *(f"--{name}={value}" for name, value in chosen.items()), "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    model = config["model"]
    assert (model["lambda_l1"], model["gan_mode"]) == (10, "lsgan")
    assert model["generator"]["init_args"]["base_channels"] == 32
    assert (config["name"], config["wandb"]) == ("sweep", "online")
    assert sweep["metric"]["name"] == PIX2PIX.monitor


def test_a_checkpoint_for_a_run_without_wandb_is_refused(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    said, code = program.fails(capsys, "fit", "--config", "small.yaml", "--wandb_checkpoint", "best")
    assert said.startswith(f"{program.name}: error: --wandb_checkpoint best needs --wandb offline or online")
    assert code == 1


def test_wandb_online_without_a_network_is_one_line_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb.teardown()  # it reads its variables once
    for name, value in {
        "MODE": "online",
        "API_KEY": "0" * 40,
        "BASE_URL": "http://127.0.0.1:9",  # nothing listens there
        "INIT_TIMEOUT": "1",
    }.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    with pytest.raises(
        ValueError, match=r"^--wandb online: .*; run `wandb login`, or take --wandb offline$"
    ) as refused:
        wandb_loggers("online", "pix2pix", tmp_path)
    assert "\n" not in str(refused.value)


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
