"""The command line as its users meet it: real runs on small scenes, in this process."""

import csv
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from losses import GradNorm
from multitask import MultiTask
from multitask.__main__ import main
from tests.multitask.scenes import HEIGHT, WIDTH, write_scenes
from tests.training.wandb_file import read_run
from training import read_picture

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "multitask").glob("*.yaml"))

# Lightning warns, once in a process, of what the command line silences for its users.
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a custom batch sampler"),
    pytest.mark.filterwarnings("ignore:.*The dirpath has changed from"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*Trainer configured with multiple"),
]


def small_config(root: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "wandb": "off",
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1},
        "samples": {"count": 2},
        "model": {
            "encoder": {"class_path": "multitask.SmallEncoder", "init_args": {"width": 4, "blocks": 0}},
            "tasks": {
                "seg": {"class_path": "multitask.Segmentation", "init_args": {"classes": 3, "width": 8}},
                "depth": {"class_path": "multitask.Depth", "init_args": {"width": 8}},
                "boxes": {"class_path": "multitask.Detection", "init_args": {"classes": 2, "width": 8, "depth": 1}},
            },
            "weighting": {"class_path": "losses.GradNorm", "init_args": {"alpha": 0.5}},
            "channels": 8,
        },
        "data": {
            "class_path": "multitask.data.SceneData",
            "init_args": {
                "layout": {"class_path": "multitask.data.Folders", "init_args": {"root": str(root)}},
                "augmentation": {"class_path": "multitask.data.RandomScaleCropFlip"},
                "batch_size": 2,
                "num_workers": 0,
            },
        },
    }


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["multitask"])
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "WANDB_MODE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    write_scenes(tmp_path / "data")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small_config(tmp_path / "data"), sort_keys=False))
    yield
    torch.use_deterministic_algorithms(False)


def the_run(name: str = "small") -> Path:
    (run,) = Path("runs", name).iterdir()
    return run


def rows_of(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def change(**options: Any) -> None:
    """Change keys of the model in small.yaml."""
    config = yaml.safe_load(Path("small.yaml").read_text())
    config["model"] |= options
    Path("small.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, int]:
    """Run a command that fails, and give the only line that it says on stderr, and its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main(words)
    code = stopped.value.code
    said = code if isinstance(code, str) else capsys.readouterr().err.strip()
    assert "\n" not in said
    assert said.startswith("multitask: error: ")
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
    assert read_picture(run / "curves.png", "").size == (1800, 1200)  # 10 panels, 4 in a row
    picture = read_picture(run / "samples" / "epoch_000.png", "")
    assert picture.size == (2 * (WIDTH + 2) + 2, 7 * (HEIGHT + 2) + 2)  # image, then truth and prediction of 3 tasks

    rows = rows_of(run)
    logged = {key for row in rows for key, value in row.items() if value}
    for task in ("seg", "depth", "boxes"):
        for kind in ("train", "weighted", "weight", "gradient_norm", "target_norm", "training_rate", "val", "test"):
            assert f"{kind}/{task}" in logged
    assert {"train/total", "val/loss", "test/loss", "val/seg/miou", "val/depth/abs", "val/boxes/map"} <= logged
    trained = [row for row in rows if row["train/total"]]
    assert [int(row["step"]) for row in trained] == list(range(10))
    for row in trained:
        weighted = float(row["weight/seg"]) * float(row["train/seg"])
        assert float(row["weighted/seg"]) == pytest.approx(weighted, rel=1e-5)
        assert sum(float(row[f"weight/{task}"]) for task in ("seg", "depth", "boxes")) == pytest.approx(3, rel=1e-5)

    (test,) = [row for row in rows if row["test/loss"]]
    for key in ("seg/miou", "depth/abs", "boxes/map"):
        assert re.search(rf"{key} +{float(test[f'test/{key}']):.4f} +\d\.\d{{4}}", said)
    assert f"run: {run}" in said
    assert f"pictures: {run}/samples" in said


def test_a_checkpoint_of_a_run_makes_its_model_again() -> None:
    main(["fit", "--config", "small.yaml"])
    model = MultiTask.load_from_checkpoint(the_run() / "checkpoints" / "best.ckpt", weights_only=True)
    assert isinstance(model.weighting, GradNorm)
    assert model.weighting.alpha == 0.5
    assert list(model.tasks) == ["seg", "depth", "boxes"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["losses.UncertaintyWeighting"], "UncertaintyWeighting"),
        (["DynamicWeightAverage", "--model.weighting.temperature", "1.0"], "DynamicWeightAverage"),
        (["losses.AggregatedGradients", "--model.weighting.aggregator", "UPGrad"], "AggregatedGradients"),
        (["FixedWeighting", "--model.weighting.weights", '{"seg": 1, "depth": 2, "boxes": 0.5}'], "FixedWeighting"),
    ],
)
def test_another_weighting_is_one_option(words: list[str], expected: str) -> None:
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--model.weighting", *words])
    rows = rows_of(the_run())
    weights = [float(row["weight/depth"]) for row in rows if row["weight/depth"]]
    assert len(weights) == 5
    if expected == "FixedWeighting":
        assert set(weights) == {2.0}
    model = MultiTask.load_from_checkpoint(the_run() / "checkpoints" / "last.ckpt", weights_only=True)
    assert type(model.weighting).__name__ == expected


def test_test_and_validate_measure_what_fit_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml"])
    said = capsys.readouterr().out
    checkpoint = f"{the_run()}/checkpoints/best.ckpt"
    main(["test", "--ckpt_path", checkpoint])  # with the run's own configuration
    table = said[said.index("test scenes") :].splitlines()[:10]
    assert capsys.readouterr().out[-len("\n".join(table)) - 1 :].splitlines() == table
    best = min(float(row["val/loss"]) for row in rows_of(min(Path("runs/small").iterdir())) if row["val/loss"])
    main(["validate", "--ckpt_path", checkpoint, "--name", "validated"])
    (row,) = rows_of(the_run("validated"))
    assert float(row["val/loss"]) == pytest.approx(best, rel=1e-6)


def test_predict_writes_a_picture_and_the_numbers_of_every_scene(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoint = the_run() / "checkpoints" / "best.ckpt"
    main(["predict", "--ckpt_path", str(checkpoint), "--name", "predicted"])
    folder = the_run("predicted") / "predictions"
    names = ["test00", "test01", "test02"]
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [f"{n}.{end}" for n in names for end in ("png", "pt")]
    )
    assert read_picture(folder / "test00.png", "").size == (4 * (WIDTH + 2) + 2, HEIGHT + 4)
    values = torch.load(folder / "test01.pt", weights_only=True)
    assert values["seg"].shape == (HEIGHT, WIDTH)
    assert values["depth"].shape == (1, HEIGHT, WIDTH)
    assert values["boxes"].keys() == {"boxes", "labels", "scores"}
    assert f"predictions: {folder}" in capsys.readouterr().out


def test_tensorboard_and_wandb_hold_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = ["--trainer.logger", "lightning.pytorch.loggers.TensorBoardLogger", "--trainer.logger.save_dir", "board"]
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--wandb", "offline", *logger])
    wandb.finish()
    wandb.teardown()  # waits until the file is written
    expected = [float(row["weight/seg"]) for row in rows_of(the_run()) if row["weight/seg"]]
    file = next(Path("board").rglob("events.*"))
    events = accumulator.EventAccumulator(str(file.parent))
    events.Reload()
    assert [event.value for event in events.Scalars("weight/seg")] == pytest.approx(expected)
    assert len(events.Images("samples")) == 1
    (record,) = the_run().glob("wandb/offline-run-*/*.wandb")
    history, _ = read_run(record)
    assert [float(row["weight/seg"]) for row in history if "weight/seg" in row] == pytest.approx(expected)
    assert any(key.startswith("samples") for row in history for key in row)


# --- bad usage and bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.weighting", "losses.GradNorn"], "GradNorn"),
        (["--model.weighting.alpha", "much"], "alpha"),
        (["--model.encoder", "multitask.TinyEncoder"], "TinyEncoder"),
        (["--model.chanels", "3"], "chanels"),
    ],
)
def test_bad_usage_is_one_line_that_names_the_option(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = fails(capsys, "fit", "--config", "small.yaml", *words)
    assert (message in said, code) == (True, 2)


def test_an_unknown_task_is_one_line_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    change(tasks={"seg": {"class_path": "multitask.Segmentatoin", "init_args": {"classes": 3}}})
    said, code = fails(capsys, "fit", "--config", "small.yaml")
    assert ("Segmentatoin" in said, code) == (True, 2)


def test_weights_of_another_task_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    change(weighting={"class_path": "losses.FixedWeighting", "init_args": {"weights": {"seg": 1.0, "deep": 2.0}}})
    said, code = fails(capsys, "fit", "--config", "small.yaml")
    assert ("weights must have a value for each of seg, depth, boxes; got seg, deep" in said, code) == (True, 1)


def break_scenes(what: str) -> None:
    train = Path("data/train")
    if what == "no labels":
        shutil.rmtree(train / "labels")
    elif what == "class":
        Image.fromarray(np.full((HEIGHT, WIDTH), 3, dtype=np.uint8)).save(train / "labels" / "train04.png")
    elif what == "depth":
        (train / "depth" / "train04.png").unlink()
        np.save(train / "depth" / "train04.npy", np.full((HEIGHT, WIDTH), np.nan, dtype=np.float32))
    elif what == "box":
        text = (train / "boxes.json").read_text()
        (train / "boxes.json").write_text(re.sub(r'"bbox": \[\d+, \d+, 8, 6\]', '"bbox": [3, 2, -8, 6]', text, count=1))
    elif what == "size":
        Image.fromarray(np.zeros((HEIGHT, WIDTH + 1), dtype=np.uint8)).save(train / "labels" / "train04.png")
    elif what == "image":
        (train / "image" / "train04.png").write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no labels", r"task seg: none of the 10 scenes of train has labels"),
        ("class", r"train04: task seg, labels: target must .* got 3"),
        ("depth", r"train04: depth has no value above 0"),
        ("box", r"train00.*: boxes must have 0 <= x1 < x2 <= 24"),
        ("size", r"train04: labels is 16 x 25 pixels and the image 16 x 24"),
        ("image", r"train04.png: not a picture in a format that can be read"),
    ],
)
@pytest.mark.parametrize("workers", ["0", "1"])
def test_bad_scenes_are_one_line_that_names_the_scene(
    what: str, message: str, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_scenes(what)
    said, code = fails(capsys, "fit", "--config", "small.yaml", "--data.num_workers", workers)
    assert re.search(message, said)
    assert code == 1


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
    assert not re.search(r"\S#", file.read_text())  # that would be no comment, but part of the value


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_help_explains_our_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for option, words in {
        "--model.weighting": "balances the losses",
        "--model.lr": "learning rate of AdamW",
        "--wandb": "Log to Weights & Biases too",
        "--samples.count": "how many scenes",
    }.items():
        assert option in said
        assert words in said


def test_the_commands_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(command in said for command in ("fit", "validate", "test", "predict", "multitask compare"))
    for command in ("compare", "toy"):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0
        assert "--seeds" in capsys.readouterr().out


def test_the_toy_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["toy", "--out", "toy", "--seeds", "1", "--steps", "2"])
    assert (Path("toy") / "toy.png").is_file()
    said, code = fails(capsys, "toy", "--seeds", "0")
    assert ("seeds must be at least 1; got 0" in said, code) == (True, 1)
