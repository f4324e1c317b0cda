"""``pix2pix modes``: one checkpoint in every mode of inference."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from inference import PRESETS, InferenceMode, open_picture, run
from pix2pix import PatchDiscriminator, Pix2Pix, ResNetGenerator
from pix2pix.__main__ import main
from pix2pix.metrics import unit_range
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer
from tests.training.programs import PIX2PIX, SILENCED, metrics_of, the_run

pytestmark = SILENCED
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    PIX2PIX.enter(tmp_path, monkeypatch)
    yield
    torch.use_deterministic_algorithms(False)


def rows(said: str) -> dict[str, list[float]]:
    lines = said.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("validation pairs"))
    table = [line.split() for line in lines[start + 1 : start + 6]]
    return {name: [float(value) for value in values] for name, *values in table}


def test_a_run_s_checkpoint_is_measured_in_every_mode_and_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    fast = ["--trainer.max_epochs", "1", "--data.batch_size", "3", "--model.lr_generator", "0.02"]
    main(["fit", "--config", "small.yaml", *fast])
    last = the_run() / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    capsys.readouterr()
    main(["modes", str(last), "--samples.count", "2"])
    said = capsys.readouterr().out
    measured = rows(said)
    assert list(measured) == ["standard", "recalibrated", "instance", "batch", "paper"]
    assert len({tuple(values) for values in measured.values()}) >= 4  # dropout has no place in three levels
    assert measured["paper"] == measured["instance"]
    for place, name in enumerate(("val/l1", "val/psnr", "val/ssim")):
        ((_, value),) = metrics_of().series(name)
        assert measured["standard"][place] == pytest.approx(value, abs=0.006)

    assert f"{the_run().absolute()}/modes_last.png, from top to bottom: input, standard, " in said
    height, width = open_picture(the_run() / "modes_last.png").size
    assert height == 7 * 18 + 2
    assert width > 2 * 18 + 2  # titles stand left of the pictures
    assert last.read_bytes() == before
    assert [run.name for run in Path("runs", "small").iterdir()] == [the_run().name]  # no run of its own


def test_recalibrated_is_what_a_run_in_that_mode_validates_with(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    checkpoint = the_run() / "checkpoints" / "last.ckpt"
    main(["modes", str(checkpoint)])
    by_command = rows(capsys.readouterr().out)["recalibrated"]
    again = ["--trainer.max_epochs", "1", "--name", "b", "--model.inference.norm", "recalibrated"]
    main(["fit", "--config", "small.yaml", *again])
    assert torch.load(the_run("b") / "checkpoints" / "last.ckpt", weights_only=True)["recalibrated_statistics"]
    ((_, l1),) = metrics_of("b").series("val/l1")
    assert by_command[0] == pytest.approx(l1, abs=1e-4)


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said, code = PIX2PIX.fails(capsys, "modes", "--config", "small.yaml")
    assert ("modes needs a checkpoint" in said, code) == (True, 1)
    said, code = PIX2PIX.fails(capsys, "modes", "absent.ckpt", "--config", "small.yaml")
    assert ("absent.ckpt: no such file" in said, code) == (True, 1)


# --- the mode as an option of the model


@pytest.mark.parametrize(
    ("yaml", "words", "mode"),
    [
        ("paper", [], InferenceMode("instance", dropout=True)),
        ("{norm: batch, dropout: on}", [], InferenceMode("batch", dropout=True)),
        ("{norm: batch, dropout: off}", ["--model.inference.norm", "instance"], InferenceMode("instance")),
        ("standard", ["--model.inference.dropout", "on"], InferenceMode("running", dropout=True)),
        ("{norm: batch}", ["--model.inference", "paper"], InferenceMode("instance", dropout=True)),
    ],
)
def test_it_is_an_option_and_stands_in_the_checkpoint(yaml: str, words: list[str], mode: InferenceMode) -> None:
    Path("mode.yaml").write_text(f"model:\n  inference: {yaml}\n")
    once = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
    main(["fit", "--config", "small.yaml", "--config", "mode.yaml", *words, *once])
    assert Pix2Pix.load_from_checkpoint(the_run() / "checkpoints" / "best.ckpt").inference == mode


def test_all_that_uses_the_generator_uses_it_in_the_mode() -> None:
    mode, data = InferenceMode("instance", dropout=True), small_data(Path("data"))
    model = Pix2Pix(ResNetGenerator(base_channels=4, blocks=1, dropout=0.5), PatchDiscriminator(6, 4), inference=mode)
    pairs = [data.dataset("test")[0, index] for index in range(3)]
    with torch.no_grad():
        expected = [run(model.generator, pair["input"][None], mode) for pair in pairs]
        assert_close(model.draw_sample(data.collate(pairs[:1]))["output"], unit_range(expected[0][0]))
    trainer = quiet_trainer(limit_val_batches=1.0)
    predicted = trainer.predict(model, datamodule=data)  # in batches of two
    assert predicted is not None
    assert_close(torch.cat(predicted), torch.cat(expected))
    (tested,) = trainer.test(model, datamodule=data, verbose=False)
    targets = torch.stack([pair["target"] for pair in pairs])
    assert tested["test/l1"] == pytest.approx((torch.cat(expected) - targets).abs().mean().item() / 2)


def test_checkpoints_of_before_are_used_as_they_were() -> None:
    old = Pix2Pix.load_from_checkpoint(Path(__file__).parent / "before_0_2.ckpt")
    assert old.inference == PRESETS["standard"]


def test_an_unknown_mode_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for option, message in (
        ("inference", "model.inference: must be one of standard, paper or the path of a class, MODULE.CLASS; got eval"),
        ("inference.norm", "norm: must be one of running, batch, instance, recalibrated; got eval"),
    ):
        said, code = PIX2PIX.fails(capsys, "fit", "--config", "small.yaml", f"--model.{option}", "eval")
        assert (message in said, code) == (True, 2)


def test_the_command_line_wins_over_the_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--model.inference", "paper"])
    checkpoint = str(the_run() / "checkpoints" / "best.ckpt")
    capsys.readouterr()
    main(["modes", checkpoint])
    measured = rows(capsys.readouterr().out)
    for words, name in (([], "paper"), (["--model.inference", "standard"], "standard")):
        main(["validate", "--ckpt_path", checkpoint, "--name", name, *words])
        assert metrics_of(name).series("val/l1")[0][1] == pytest.approx(measured[name][0], abs=1e-4)
    assert measured["paper"] != measured["standard"]


@pytest.mark.slow
def test_two_processes_recalibrate_over_all_pairs() -> None:
    words = ["--trainer.max_epochs", "1", "--trainer.devices", "2", "--model.inference.norm", "recalibrated"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pix2pix", "fit", "--config", "small.yaml", *words]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    model = Pix2Pix.load_from_checkpoint(the_run() / "checkpoints" / "last.ckpt")
    pairs = small_data(Path("data")).dataset("train")
    first, second = model.generator.encoder[:2]
    with torch.no_grad():
        seen = second[:2](first(torch.stack([pairs[0, index]["input"] for index in range(len(pairs))])))
    assert_close(second[2].running_mean, seen.mean((0, 2, 3)))
    assert_close(second[2].running_var, seen.var((0, 2, 3), correction=0))
