"""Bad samples are an error, or left out, told of and left out again by a resumed run."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from inference import DataError, read_checkpoint
from tests.training.programs import MULTITASK, PIX2PIX, SILENCED, Program, the_run
from training.data import EpochDataset

pytestmark = [pytest.mark.slow, *SILENCED]

SKIP = ("--data.on_bad_sample", "skip")


@pytest.fixture(params=[PIX2PIX, MULTITASK], ids=lambda program: program.name)
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """With ten training samples of which two, the third and the fourth, cannot be read."""
    program: Program = request.param
    program.enter(tmp_path, monkeypatch)
    for file in pictures()[2:4]:
        file.write_bytes(file.read_bytes()[:-40])
    return program


def pictures() -> list[Path]:
    folder = Path("data/train/image") if Path("data/train/image").is_dir() else Path("data/train")
    return sorted(folder.glob("*.png"))


def fit(program: Program, *words: str) -> None:
    program.main(["fit", "--config", "small.yaml", *words])


def test_a_bad_sample_ends_the_run_by_its_name(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    said, code = program.fails(capsys, "fit", "--config", "small.yaml")
    assert code == 1
    assert any(file.name in said for file in pictures()[2:4])


def test_it_is_left_out_and_listed(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    fit(program, *SKIP, "--data.num_workers", "1")
    said = capsys.readouterr().out
    first, second = pictures()[2:4]
    listed = (the_run() / "skipped.txt").read_text().splitlines()
    assert [name in line for name, line in zip((first.name, second.name), listed, strict=True)] == [True, True]
    assert f"2 training samples were skipped, all in {the_run()}/skipped.txt: {listed[0]}; {listed[1]}\n" in said
    with (the_run() / "metrics.csv").open() as table:
        assert [row["skipped"] for row in csv.DictReader(table) if row["skipped"]] == ["2.0", "2.0"]


class Numbers(EpochDataset[Any]):
    """Samples that are their index and a random number; the third, the fourth and the last cannot be read."""

    def __init__(self, bad: torch.Tensor | None) -> None:
        super().__init__(range(6), augment=True, bad=bad)

    def sample(self, index: int, random: torch.Generator | None) -> tuple[int, float]:
        if index in (2, 3, 5):
            raise DataError(f"{index}: damaged")
        return index, torch.rand((), generator=random).item()


def test_the_next_that_can_be_read_takes_its_place_with_its_own_augmentation() -> None:
    bad = torch.zeros(6, dtype=torch.bool)
    numbers = Numbers(bad)
    assert [numbers[7, index] for index in (2, 3, 5)] == [numbers[7, index] for index in (4, 4, 0)]
    assert bad.tolist() == [False, False, True, True, False, True]
    with pytest.raises(DataError, match="3: damaged"):
        Numbers(None)[7, 3]
    bad[:] = True
    with pytest.raises(DataError, match="none of the 6 samples can be read; on_bad_sample raise says why"):
        numbers[7, 0]


def test_a_resumed_run_leaves_out_the_same(program: Program) -> None:
    fit(program, *SKIP, "--name", "whole")
    fit(program, *SKIP, "--trainer.max_epochs", "1")
    last = the_run() / "checkpoints" / "last.ckpt"
    assert read_checkpoint(last)["bad_samples"] == [2, 3]
    repaired, good = pictures()[3:5]
    repaired.write_bytes(good.read_bytes())  # it stays left out in this run
    fit(program, *SKIP, "--ckpt_path", str(last), "--trainer.max_epochs", "2")
    whole, resumed = (
        read_checkpoint(the_run(name) / "checkpoints" / "last.ckpt")["state_dict"] for name in ("whole", "small")
    )
    if program is PIX2PIX:  # whose schedule does not depend on max_epochs
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert "it can be read again" in (the_run() / "skipped.txt").read_text()


def test_where_nothing_can_be_read_it_is_one_line(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    for file in pictures():
        file.write_bytes(b"text")
    said, code = program.fails(capsys, "fit", "--config", "small.yaml", *SKIP)
    assert code == 1
    assert "can be read" in said or "not a picture" in said
