"""The command line of several tasks: what it has beside tests/training/test_command_line.py."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inference import open_picture
from multitask import MultiTask
from multitask.__main__ import main
from tests.multitask.scenes import HEIGHT, WIDTH
from tests.training.programs import MULTITASK, SILENCED, metrics_of, read_config, the_run, write_config

pytestmark = SILENCED


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    MULTITASK.enter(tmp_path, monkeypatch)
    yield
    torch.use_deterministic_algorithms(False)


def change(**options: Any) -> None:
    """Change keys of the model in small.yaml."""
    config = read_config()
    config["model"] |= options
    write_config(config)


# --- what a run leaves


def test_fit_logs_losses_and_weights_and_prints_the_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml"])
    run, said, metrics = the_run(), capsys.readouterr().out, metrics_of()
    assert "train: 10 scenes (labels 10, depth 10, boxes 10)" in said
    assert open_picture(run / "curves.png").size == (1200, 1800)  # 10 panels, 4 in a row
    height, width = open_picture(run / "samples" / "epoch_000.png").size
    assert height > 7 * (HEIGHT + 2) + 2  # image, then target and prediction of 3 tasks; and a legend
    assert width > 2 * (WIDTH + 2) + 2  # two samples, and titles

    trained = [values for _, values in metrics.rows if "train/total" in values]
    assert len(trained) == 10
    for row in trained:
        assert row["weighted/seg"] == pytest.approx(row["weight/seg"] * row["train/seg"], rel=1e-5)
        assert sum(row[f"weight/{task}"] for task in ("seg", "depth", "boxes")) == pytest.approx(3, rel=1e-5)
    number = r"\d+\.\d{4}"
    for key, interval in (
        ("seg/miou", f"{number} to {number}"),
        ("depth/abs", f"{number} to {number}"),
        ("boxes/map", "-"),
    ):
        ((_, value),) = metrics.series(f"test/{key}")
        assert re.search(rf"{key} +{value:.4f} +{interval} +{number}", said)


def test_a_task_without_metrics_of_single_scenes_is_trained_and_tested_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    others = ["--model.tasks.seg", "null", "--model.tasks.depth", "null"]
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", *others])
    assert (the_run() / "pictures.csv").read_text().split() == ["name", "test00", "test01", "test02"]
    assert re.search(r"boxes/map +\d\.\d{4} +- +0\.0000", capsys.readouterr().out)


@pytest.mark.slow
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
    weights = [value for _, value in metrics_of().series("weight/depth")]
    assert len(weights) == 5
    if expected == "FixedWeighting":
        assert set(weights) == {2.0}
    model = MultiTask.load_from_checkpoint(the_run() / "checkpoints" / "last.ckpt", weights_only=True)
    assert type(model.weighting).__name__ == expected


@pytest.mark.slow
def test_predict_writes_the_tasks_of_pictures_and_names_those_that_fail(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoint = str(the_run() / "checkpoints" / "best.ckpt")
    capsys.readouterr()
    main(["predict", checkpoint, "data/test/image", "out", "--batch_size", "2"])
    said = capsys.readouterr().out
    assert "depth: depth/NAME.png, depth_preview/NAME.png, depth.json" in said
    assert "3 pictures of 0.0 megapixels in " in said
    for file in "labels/test01.png", "depth/test01.png", "boxes.json", "labels.json":
        assert Path("out", file).is_file()
    (Path("data/test/image") / "test01.png").write_text("no picture")
    said, code = MULTITASK.fails(capsys, "predict", checkpoint, "data/test/image", "other")
    assert ("1 of 3 pictures could not be predicted, named above" in said, code) == (True, 1)
    assert sorted(file.name for file in Path("other/labels").iterdir()) == ["test00.png", "test02.png"]
    for words, expected, expected_code in (
        (("absent.ckpt", "data/test/image", "out"), "absent.ckpt: no such file", 1),
        ((checkpoint, "absent", "out"), "absent: no such file", 1),
        ((checkpoint, "data/test/image", "other"), "exists already; choose another place, or --overwrite", 1),
        ((checkpoint, "data/test/image"), "out", 2),
    ):
        said, code = MULTITASK.fails(capsys, "predict", *words)
        assert (expected in said, code) == (True, expected_code)


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
    said, code = MULTITASK.fails(capsys, "fit", "--config", "small.yaml", *words)
    assert (message in said, code) == (True, 2)


def test_an_unknown_task_is_one_line_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    change(tasks={"seg": {"class_path": "multitask.Segmentatoin", "init_args": {"classes": 3}}})
    said, code = MULTITASK.fails(capsys, "fit", "--config", "small.yaml")
    assert ("Segmentatoin" in said, code) == (True, 2)


def test_weights_of_another_task_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    change(weighting={"class_path": "losses.FixedWeighting", "init_args": {"weights": {"seg": 1.0, "deep": 2.0}}})
    said, code = MULTITASK.fails(capsys, "fit", "--config", "small.yaml")
    assert ("weights must have a value for each of seg, depth, boxes; got seg, deep" in said, code) == (True, 1)


def test_a_task_is_left_out_by_null(capsys: pytest.CaptureFixture[str]) -> None:
    """From the command line and in a file; weights that were for it are one line."""
    words = ["--trainer.max_epochs", "1", "--model.tasks.boxes", "null", "--model.weighting", "losses.FixedWeighting"]
    main(["fit", "--config", "small.yaml", *words])
    assert metrics_of().series("test/seg/miou")
    assert not metrics_of().series("train/boxes")
    assert "train/depth" in {name for _, values in metrics_of().rows for name in values}
    main(["test", "--ckpt_path", str(the_run() / "checkpoints" / "last.ckpt")])
    assert "boxes/map" not in capsys.readouterr().out
    tasks = read_config()["model"]["tasks"]
    weights = {"seg": 1.0, "depth": 1.0, "boxes": 1.0}
    change(
        tasks=tasks | {"boxes": None},
        weighting={"class_path": "losses.FixedWeighting", "init_args": {"weights": weights}},
    )
    said, code = MULTITASK.fails(capsys, "fit", "--config", "small.yaml")
    assert (
        "weights must have a value for each of seg, depth; got seg, depth, boxes; left out: boxes" in said,
        code,
    ) == (
        True,
        1,
    )


def test_the_loss_of_a_task_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            *("fit", "--config", "small.yaml", "--trainer.max_epochs", "1"),
            *("--model.tasks.depth.init_args.loss", "losses.BerHuLoss"),
            *("--model.tasks.depth.init_args.loss.init_args.fraction", "0.5"),
            *("--model.tasks.seg.init_args.loss", "losses.FocalLoss"),
            *("--model.tasks.seg.init_args.class_weights", "balanced"),
        ]
    )
    assert "targets in 10 training scenes:" in capsys.readouterr().out
    model = MultiTask.load_from_checkpoint(the_run() / "checkpoints" / "last.ckpt", weights_only=True)
    assert model.tasks["depth"].criterion.fraction == 0.5
    for words, expected, expected_code in (
        (["depth.init_args.loss", "losses.FocalLoss"], "error: loss must be L1Loss or SILogLoss or alike, or a Sum", 1),
        (["depth.init_args.loss", "torch.nn.L1Loss"], "torch.nn.L1Loss is no subclass of Loss", 2),
        (["boxes.init_args.loss", "losses.L1Loss"], "is no subclass of BinaryFocalLoss", 2),
        (["seg.init_args.class_weights", "often"], "must be one of balanced", 2),
    ):
        said, code = MULTITASK.fails(capsys, "fit", "--config", "small.yaml", f"--model.tasks.{words[0]}", words[1])
        assert (expected in said, code) == (True, expected_code), said
        assert "Union" not in said and len(said) < 200


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


@pytest.mark.slow
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
    said, code = MULTITASK.fails(capsys, "fit", "--config", "small.yaml", "--data.num_workers", workers)
    assert re.search(message, said)
    assert code == 1


@pytest.mark.parametrize("command", ["compare", "predict", "toy"])
def test_help_of_the_other_commands(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    sentence, option = {
        "compare": ("Train each task alone, and all of them", "--seeds"),
        "predict": ("Predict all tasks for pictures and folders of pictures", "--overwrite"),
        "toy": ("The regressions are alike", "--seeds"),
    }[command]
    assert sentence in said
    assert option in said
    assert "Lightning Trainer" not in said


@pytest.mark.slow
def test_the_toy_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["toy", "--out", "toy", "--seeds", "1", "--steps", "2"])
    assert (Path("toy") / "toy.png").is_file()
    said, code = MULTITASK.fails(capsys, "toy", "--seeds", "0")
    assert ("seeds must be at least 1; got 0" in said, code) == (True, 1)
