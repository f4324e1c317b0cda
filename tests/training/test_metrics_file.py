from pathlib import Path

import pytest
from lightning.pytorch.loggers import CSVLogger

from training.metrics_file import Metrics, continued_csv


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of Lightning's own logger, with cells that are empty."""
    logger = CSVLogger(str(tmp_path / "runs"), "small", version="now")
    for step, values in enumerate([{"a": 1.5, "w/x": 0.5}, {"b": 2.0}, {"a": 0.1, "w/x": 1.0, "w/y": 3.0}]):
        logger.log_metrics(dict(values), step)
    logger.save()
    return tmp_path / "runs" / "small" / "now"


def test_what_was_logged_is_read(run: Path) -> None:
    metrics = Metrics(run / "metrics.csv")
    assert sorted(metrics.names) == ["a", "b", "w/x", "w/y"]
    assert metrics.series("a") == [(0, 1.5), (2, 0.1)]
    assert metrics.series("nothing") == []
    assert metrics.last("w/") == {"x": 1.0, "y": 3.0}
    assert metrics.columns("w/") == {"x": [0.5, 1.0], "y": [3.0]}
    assert metrics.rows[1] == (1, {"b": 2.0})


@pytest.mark.filterwarnings("ignore:.*exists and is not empty")  # which the command line silences
def test_a_resumed_run_keeps_what_its_checkpoint_has_seen(run: Path) -> None:
    logger = continued_csv(run, done=2)
    assert Path(logger.log_dir) == run
    logger.log_metrics({"a": 7.0}, 2)
    logger.save()
    assert Metrics(run / "metrics.csv").series("a") == [(0, 1.5), (2, 7.0)]
    assert Metrics(run / "metrics.csv").series("b") == [(1, 2.0)]


def test_a_run_without_a_file_begins_one(tmp_path: Path) -> None:
    logger = continued_csv(tmp_path / "runs" / "small" / "now", done=5)
    logger.log_metrics({"a": 1.0}, 5)
    logger.save()
    assert Metrics(tmp_path / "runs" / "small" / "now" / "metrics.csv").series("a") == [(5, 1.0)]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "step,a\nzero,1\n", "step,a\n0,much\n", "step,a\n0,1,2\n"])
def test_another_file_is_refused_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(
        ValueError, match=r"metrics\.csv: expected a CSV file with a column step and columns of numbers"
    ):
        Metrics(tmp_path / "metrics.csv")
    with pytest.raises(ValueError, match=r"absent\.csv: No such file or directory"):
        Metrics(tmp_path / "absent.csv")


def test_a_run_that_has_logged_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").touch()
    assert Metrics(tmp_path / "metrics.csv").names == []


def test_a_line_that_a_killed_process_did_not_finish_is_left_out(run: Path) -> None:
    file = run / "metrics.csv"
    whole = Metrics(file).rows
    for left in "3", "3,0.1", '3,"0':
        file.write_text(file.read_text().rpartition("\n")[0] + "\n" + left)
        assert Metrics(file).rows == whole
