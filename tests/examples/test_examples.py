"""The examples, cut short: each runs as its docstring says, and learns something in the little that it is given."""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import pix2pix.__main__
from examples import (
    dcgan,
    gradnorm_loop,
    misaligned,
    multiscale_hinge,
    own_layout,
    own_task,
    shapes,
    uncertainty_weights,
)
from examples.own_generator import DilatedGenerator
from inference import open_picture
from pix2pix import Pix2Pix
from training import Metrics

EXAMPLES = Path(__file__).parents[2] / "examples"

training = pytest.mark.filterwarnings("ignore:You are using a custom batch sampler", "ignore:.*`IterableDataset`")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["vanilla", "lsgan", "hinge"])
def test_dcgan_draws_discs(mode: Any) -> None:
    untrained = dcgan.main(steps=0, mode=mode)
    assert untrained > 0.5
    assert dcgan.main(steps=100, mode=mode) < 0.3


def test_a_true_disc_is_at_distance_0() -> None:
    distances, radii = dcgan.measure(dcgan.draw_discs(torch.tensor([7.0]), torch.tensor([8.0]), torch.tensor([4.0])))
    assert distances.item() < 0.02
    assert abs(radii.item() - 4) < 0.1


@pytest.mark.slow
def test_multiscale_hinge_gan_draws_stripes() -> None:
    assert multiscale_hinge.main(steps=0) < 0.15
    assert multiscale_hinge.main(steps=60) > 0.25


@pytest.mark.slow
def test_gradnorm_helps_the_task_of_the_small_loss() -> None:
    shares = gradnorm_loop.main(steps=1000)
    assert shares["equal"]["small"] > 0.8  # next to nothing is learned
    assert shares["gradnorm"]["small"] < 0.5
    assert shares["gradnorm"]["large"] < 0.4


@pytest.mark.slow
@training
def test_own_layout_is_trained_on() -> None:
    assert own_layout.main(epochs=2) < 0.2  # gray pictures would have about 0.4


def test_own_layout_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(own_layout.DataError, match="no pictures named NAME_a"):
        own_layout.OneFolder(tmp_path, "train")
    (tmp_path / "train" / "1_a.png").touch()
    with pytest.raises(own_layout.DataError, match=r"1_a.png: not a picture"):
        own_layout.OneFolder(tmp_path, "train").read(0)


@pytest.mark.slow
@training
def test_own_task_is_trained_and_measured() -> None:
    metrics = own_task.main(epochs=1, batches=0.2)
    assert metrics["test/floor/iou"] > 0.2
    assert {"test/floor", "test/depth/abs"} < metrics.keys()


def test_own_task_counts_known_pixels_alone() -> None:
    task, target = own_task.Floor(), torch.full((1, 2, 2), own_task.UNKNOWN)
    target[0, 0] = own_task.FLOOR
    prediction = torch.tensor([[[[5.0, -5.0], [5.0, -5.0]]]])
    expected = 2 * (torch.nn.functional.softplus(torch.tensor([-5.0, 5.0]))).mean()
    assert_close(task.loss(prediction, target), expected)
    metrics = task.build_metrics()
    task.update(metrics, task.decode(prediction), target)
    assert (metrics.compute()["iou"], metrics.compute()["recall"]) == (0.5, 0.5)
    assert task.draw(task.decode(prediction), torch.ones(1, 3, 2, 2))[0, 0].tolist() == [[1, 0.25], [1, 0.25]]


@pytest.mark.slow
def test_own_generator_by_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pix2pix"])
    shapes.main("datasets/drawn", train=10, val=2, test=2)
    pix2pix.__main__.main(["pair", "datasets/drawn/outlines", "datasets/drawn/filled", "datasets/shapes"])
    config = str(EXAMPLES / "own_generator.yaml")
    pix2pix.__main__.main(["fit", "--config", config, "--trainer.max_epochs", "1", "--wandb", "off"])
    (checkpoint,) = tmp_path.glob("runs/shapes/*/checkpoints/best.ckpt")
    generator = Pix2Pix.load_from_checkpoint(checkpoint, weights_only=True).generator
    assert isinstance(generator, DilatedGenerator)
    assert generator(torch.zeros(1, 3, 17, 40)).shape == (1, 3, 17, 40)  # any size


def test_the_shapes_are_the_same_each_time() -> None:
    first, again = (next(iter(shapes.draw_pairs("train", 1))) for _ in range(2))
    assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in again]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_every_example_says_how_it_is_run(example: Path) -> None:
    lines = example.read_text().splitlines()
    assert lines[0].startswith('"""')
    assert any(line.startswith("    python ") for line in lines[1:10])
    assert len(lines) <= 120


@pytest.mark.slow
def test_weights_of_uncertainty_are_drawn_for_each_start(tmp_path: Path) -> None:
    starts = {"all 0": dict.fromkeys(uncertainty_weights.TASKS, 0.0), "seg 1": {"seg": 1.0, "depth": 0.0, "boxes": 0.0}}
    table = uncertainty_weights.main(tmp_path, epochs=1, batches=0.34, starts=starts)
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["all 0", "seg 1"]
    weights = [float(line.split("|")[2]) for line in table.splitlines()[2:]]
    assert weights[0] / weights[1] == pytest.approx(math.e, rel=0.1)
    assert open_picture(tmp_path / "weights.png").read().std() > 1


def test_a_weight_has_settled_when_it_stays_where_its_loss_wants_it(tmp_path: Path) -> None:
    rows = [
        "step,train/depth,weight/depth",
        *(f"{step},0.5,{weight}" for step, weight in enumerate((1, 2, 1, 1.7, 2, 2))),
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(rows))
    metrics = Metrics(tmp_path / "metrics.csv")
    assert uncertainty_weights.asked_for(metrics, "depth")[0] == (0, 2.0)  # 1 / L of an L1
    assert uncertainty_weights.settled(metrics, "depth") == 3


@pytest.mark.slow
@training
def test_misaligned_pairs_are_compared(tmp_path: Path) -> None:
    table = misaligned.main(tmp_path, shifts=(0, 3), seeds=1, epochs=1, pairs=12)
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == list(misaligned.losses_of_pairs())
    values = [float(cell.split("±")[0]) for line in table.splitlines()[2:] for cell in line.split("|")[2:4]]
    assert all(0 < value < 1 for value in values)
    assert open_picture(tmp_path / "pictures.png").size == (2 * 64, 4 * 64)


def test_the_pairs_of_training_alone_are_misaligned(tmp_path: Path) -> None:
    """As the drawings are white at their borders, a shift of the colors is a roll."""
    misaligned.write_pairs(tmp_path, 3, {"train": 4, "test": 4})
    moves = {}
    for split in "train", "test":
        for index, (outlines, filled) in enumerate(shapes.draw_pairs(split, 4)):
            pair = open_picture(tmp_path / split / f"{index:03}.png").read()
            assert (pair[:, :64] == np.asarray(outlines)).all()
            (moves[split, index],) = (
                (down, right)
                for down in range(-3, 4)
                for right in range(-3, 4)
                if (np.roll(np.asarray(filled), (down, right), (0, 1)) == pair[:, 64:]).all()
            )
    assert {move for (split, _), move in moves.items() if split == "test"} == {(0, 0)}
    assert len({move for (split, _), move in moves.items() if split == "train"}) > 1
