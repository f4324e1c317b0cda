from pathlib import Path

import pytest
import torch

from losses import FixedWeighting, read_weights, time_average, write_weights


def test_the_average_of_a_run_becomes_the_weights_of_the_next(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("step,loss,weight/seg,weight/depth\n0,5,1,1\n10,4,,\n20,3,1.5,0.5\n30,3,2,\n")
    averages = time_average(metrics)
    assert averages == {"seg": 1.5, "depth": 0.75}
    write_weights(averages, tmp_path / "weights.json")
    weighting = FixedWeighting(("depth", "seg"), weights=tmp_path / "weights.json")
    assert weighting({"seg": torch.tensor(1.0), "depth": torch.tensor(2.0)}).item() == 1.5 + 1.5


def test_other_columns_by_their_prefix(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("w_a,weight/a\n1,7\n3,7\n")
    assert time_average(metrics, prefix="w_") == {"a": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory; expected a CSV file with columns weight/TASK of numbers"),
        (b"", "expected a CSV file with columns weight/TASK of numbers; its columns are none"),
        (b"step,loss\n1,2\n", "expected a CSV file with columns weight/TASK of numbers; its columns are step, loss"),
        (b"weight/a\nhigh\n", "the column weight/a has no number: could not convert string to float: 'high'"),
        (b"step,weight/a\n1,\n", "the column weight/a is empty; expected"),
        (b"weight/a\nnan\n", "the column weight/a has no number: the average is nan"),
        (b"\xff\xfe\x00", "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_bad_runs_are_refused_by_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    metrics = tmp_path / "metrics.csv"
    if content is not None:
        metrics.write_bytes(content)
    with pytest.raises(ValueError) as refusal:
        time_average(metrics)
    assert str(refusal.value).startswith(f"{metrics}: {message}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory; expected a JSON object with a weight for each task"),
        (b"seg: 1", "Expecting value: line 1 column 1 (char 0); expected a JSON object with a weight for each task"),
        (b"[1, 2]", "expected a JSON object with a weight for each task, such as"),
        (b"{}", "expected a JSON object"),
        (b'{"seg": "1"}', "expected a JSON object"),
        (b'{"seg": true}', "expected a JSON object"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_bad_weights_are_refused_by_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "weights.json"
    if content is not None:
        file.write_bytes(content)
    for read in read_weights, lambda file: FixedWeighting(["seg"], weights=file):
        with pytest.raises(ValueError) as refusal:
            read(file)
        assert str(refusal.value).startswith(f"{file}: {message}")
        assert "\n" not in str(refusal.value)


def test_a_files_weights_of_other_tasks_are_refused(tmp_path: Path) -> None:
    write_weights({"seg": 1}, tmp_path / "weights.json")
    with pytest.raises(ValueError, match=r"weights in .*weights.json must have a value for each of a; got seg"):
        FixedWeighting(["a"], weights=str(tmp_path / "weights.json"))
