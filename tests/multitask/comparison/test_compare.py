"""``multitask compare``: what is trained, and one whole comparison on small scenes."""

import csv
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference import open_picture
from losses import time_average
from multitask.__main__ import main
from multitask.comparison.compare import variants
from tests.training.programs import MULTITASK
from training import Metrics

pytestmark = pytest.mark.usefixtures("small_scenes")


def model_of(name: str) -> dict[str, Any]:
    config = yaml.safe_load(Path("small.yaml").read_text())
    return dict(variants(config))[name]["model"]


def test_each_variant_differs_in_its_tasks_or_weighting_alone() -> None:
    config = yaml.safe_load(Path("small.yaml").read_text())
    trained = dict(variants(config))
    assert list(trained) == ["seg-alone", "depth-alone", "equal", "more-seg", "more-depth", "uncertainty", "gradnorm"]
    for each in trained.values():
        assert {key: value for key, value in each.items() if key != "model"} == {
            key: value for key, value in config.items() if key != "model"
        }
        assert each["model"]["encoder"] == config["model"]["encoder"]
    assert list(model_of("depth-alone")["tasks"]) == ["depth"]
    assert model_of("equal")["weighting"] == {"class_path": "losses.FixedWeighting", "init_args": {}}
    assert model_of("more-depth")["weighting"]["init_args"]["weights"] == {"seg": 0.5, "depth": 1.5}
    assert model_of("uncertainty")["weighting"] == {"class_path": "losses.UncertaintyWeighting", "init_args": {}}
    assert model_of("gradnorm")["weighting"]["init_args"] == {"alpha": 0.5}  # the configuration's own


def test_parts_of_a_task_are_raised_together() -> None:
    config = yaml.safe_load(Path("small.yaml").read_text())
    parts = {"class_path": "multitask.Detection", "init_args": {"classes": 2, "parts": "apart"}}
    config["model"]["tasks"] = {"depth": config["model"]["tasks"]["depth"], "boxes": parts}
    weights = dict(variants(config))["more-boxes"]["model"]["weighting"]["init_args"]["weights"]
    of_parts = dict.fromkeys(("boxes_focal", "boxes_giou", "boxes_centerness"), 1.2)
    assert weights == pytest.approx({"depth": 0.4, **of_parts})  # 4 in all, as equal ones


def test_other_weightings_are_named_by_their_classes() -> None:
    config = yaml.safe_load(Path("small.yaml").read_text())
    trained = dict(variants(config, ["equal", "FAMO", "GradNorm"]))
    assert list(trained) == ["seg-alone", "depth-alone", "equal", "FAMO", "GradNorm"]
    assert trained["FAMO"]["model"]["weighting"] == {"class_path": "losses.FAMO", "init_args": {}}
    assert trained["GradNorm"]["model"]["weighting"]["init_args"] == {"alpha": 0.5}
    for wrong in ["famo"], ["FocalLoss"], ["equal", "equal"], ["equal", "gradnorm-static"]:
        with pytest.raises(ValueError, match=f"^weightings must .*; got {','.join(wrong)}$"):
            list(variants(config, wrong))


@pytest.mark.slow
def test_a_comparison_writes_its_tables_and_its_figure_and_goes_on_where_it_was_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["compare", "--config", "depth.yaml", "--out", "out", "--seeds", "1", "--jobs", "2"]
    words += ["--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "1"]
    main(words)
    said = capsys.readouterr().out
    assert "[6/6] gradnorm-static-seed0: 0:00:" in said
    table = Path("out/compare.md").read_text()
    assert table in said
    assert "| weighting | depth/abs ↓ | Δm (%) ↑ |" in table
    with Path("out/compare.csv").open() as file:
        rows = {row["weighting"]: row for row in csv.DictReader(file)}
    assert list(rows) == [
        "each task alone",
        "equal",
        "more depth",
        "uncertainty",
        "gradnorm",
        "gradnorm static",
    ]
    assert float(rows["each task alone"]["delta_m"]) == 0
    (run,) = Path("out/depth-alone-seed0").glob("*/metrics.csv")
    assert float(rows["each task alone"]["depth/abs"]) == pytest.approx(
        Metrics(run).last("test/")["depth/abs"], rel=1e-5
    )
    (gradnorm,) = Path("out/gradnorm-seed0").glob("*/metrics.csv")
    static = yaml.safe_load(Path("out/gradnorm-static-seed0/config.yaml").read_text())["model"]["weighting"]
    assert static["class_path"] == "losses.FixedWeighting"
    assert static["init_args"]["weights"] == time_average(Metrics(gradnorm).columns("weight/"))
    assert open_picture(Path("out/compare.png")).size == (700, 800)

    files = {file: file.stat().st_mtime_ns for file in Path("out").rglob("metrics.csv")}
    main(words)  # all runs are there: nothing is trained again
    assert {file: file.stat().st_mtime_ns for file in Path("out").rglob("metrics.csv")} == files
    assert capsys.readouterr().out.startswith("| weighting |")

    main([*words, "--weightings", "equal,RandomWeighting"])  # another, in the same folder
    said = capsys.readouterr().out
    assert "[3/3] RandomWeighting-seed0: 0:00:" in said
    assert [line.split(" | ")[0] for line in said.splitlines()[3:5]] == ["| each task alone", "| equal"]
    assert "uncertainty" not in said
    assert open_picture(Path("out/compare.png")).size == (700, 800)

    said, code = MULTITASK.fails(capsys, *words, "--model.lr", "0.1")
    assert "out holds a comparison of another configuration or budget; take another folder with --out" in said
    assert code == 1


@pytest.mark.slow
@pytest.mark.usefixtures("fitted")
def test_every_variant_has_its_best_learning_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """A rate that teaches nothing loses; the trial with the best one is the run with the first seed."""
    words = ["compare", "--config", "depth.yaml", "--out", "out", "--seeds", "2"]
    words += ["--weightings", "equal", "--lrs", "[1e-9, 0.05]", "--trainer.max_epochs", "2"]
    main(words)
    said = capsys.readouterr().out
    assert "Learning rates, the best on the validation scenes: depth alone 0.05, equal 0.05." in said
    counted = [line.partition(":")[0] for line in said.splitlines() if line.startswith("[")]
    assert counted[:4] == [  # those that choose the rates are of all that are trained
        *("[1/6] depth-alone-lr1e-09-seed0", "[2/6] depth-alone-lr0.05-seed0"),
        *("[3/6] equal-lr1e-09-seed0", "[4/6] equal-lr0.05-seed0"),
    ]
    assert counted[4:] == ["[5/6] depth-alone-lr0.05-seed1", "[6/6] equal-lr0.05-seed1"]
    assert sorted(path.name for path in Path("out").iterdir() if path.is_dir()) == [
        *("depth-alone-lr0.05-seed0", "depth-alone-lr0.05-seed1", "depth-alone-lr1e-09-seed0"),
        *("equal-lr0.05-seed0", "equal-lr0.05-seed1", "equal-lr1e-09-seed0"),
    ]
    trained = yaml.safe_load(Path("out/equal-lr0.05-seed1/config.yaml").read_text())
    assert (trained["model"]["lr"], trained["seed_everything"]) == (0.05, 1)
    assert len(list(Path("out/equal-lr0.05-seed0").glob("*/metrics.csv"))) == 1
    said, code = MULTITASK.fails(capsys, *words, "--lrs", "[0.1, 0]")
    assert ("lrs must be above 0; got 0.1,0" in said, code) == (True, 1)


@pytest.mark.slow
def test_a_comparison_that_was_stopped_goes_on_as_if_it_had_not(
    capsys: pytest.CaptureFixture[str], fitted: list[str]
) -> None:
    """It is stopped within the third of the four runs that choose the learning rates."""
    grid = [f"{name}-lr{rate}-seed0" for name in ("depth-alone", "equal") for rate in ("0.01", "0.05")]
    config = yaml.safe_load(Path("depth.yaml").read_text())
    stop = {"run": grid[2], "file": "stopped"}
    callback = {"class_path": "tests.training.comparison.forks.StopOnce", "init_args": stop}
    config["trainer"] |= {"callbacks": [callback]}
    Path("stopping.yaml").write_text(yaml.safe_dump(config))
    words = ["compare", "--config", "stopping.yaml", "--seeds", "1", "--weightings", "equal", "--lrs", "[0.01, 0.05]"]

    said, code = MULTITASK.fails(capsys, *words, "--out", "out")
    assert (f"{grid[2]}: fit ended with {128 + signal.SIGTERM}" in said, code) == (True, 1)
    assert fitted == grid[:3]
    main([*words, "--out", "out"])
    assert fitted == grid[:3] + grid[2:]  # the third goes on
    assert [len(list(Path("out", run).glob("*/metrics.csv"))) for run in grid] == [1, 1, 1, 1]

    main([*words, "--out", "undisturbed"])
    assert fitted[5:] == grid
    for file in ("compare.csv", "compare.md"):
        assert Path("out", file).read_text() == Path("undisturbed", file).read_text()


@pytest.mark.slow
def test_a_run_that_fails_is_one_line_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    said, code = MULTITASK.fails(capsys, "compare", "--config", "small.yaml", "--out", "out", "--model.channels", "0")
    assert code == 1
    assert "seg-alone-seed0: channels must be at least 1; got 0" in said
    said, code = MULTITASK.fails(capsys, "compare", "--config", "small.yaml", "--model.chanels", "3")
    assert ("chanels" in said, code) == (True, 2)
    said, code = MULTITASK.fails(capsys, "compare", "--seeds", "none")
    assert ("seeds" in said, code) == (True, 2)
    said, code = MULTITASK.fails(capsys, "compare", "--jobs", "0")
    assert ("jobs must be at least 1; got 0" in said, code) == (True, 1)
