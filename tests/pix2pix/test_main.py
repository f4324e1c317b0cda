"""The command line of pix2pix: what it has beside tests/training/test_command_line.py."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from torchvision.models import vgg19

from inference import open_picture
from pix2pix.__main__ import main
from tests.pix2pix.pictures import write_picture
from tests.training.programs import PIX2PIX, SILENCED, metrics_of, read_config, the_run, write_config

pytestmark = SILENCED


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    PIX2PIX.enter(tmp_path, monkeypatch)
    yield
    torch.use_deterministic_algorithms(False)


def test_fit_prints_the_metrics_beside_the_baselines(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "--config", "small.yaml"])
    said = capsys.readouterr().out
    for line in "copy the input", "mean picture", "nearest in training":
        assert line in said
    ((_, l1),) = metrics_of().series("test/l1")
    assert f"this model            {l1:.4f}" in said
    assert open_picture(the_run() / "curves.png").size == (1200, 1800)  # 9 panels, 4 in a row


@pytest.mark.slow
def test_predict_writes_a_picture_for_every_test_input(capsys: pytest.CaptureFixture[str]) -> None:
    said, code = PIX2PIX.fails(capsys, "predict", "--config", "small.yaml")
    assert ("predict needs --ckpt_path" in said, code) == (True, 1)
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    main(["predict", "--ckpt_path", f"{the_run()}/checkpoints/best.ckpt", "--name", "predicted"])
    folder = the_run("predicted") / "predictions"
    assert sorted(file.name for file in folder.iterdir()) == [f"test{index:02}.png" for index in range(3)]
    assert f"predictions: {folder}" in capsys.readouterr().out


@pytest.mark.slow
def test_the_configuration_for_large_pictures_trains_and_resumes() -> None:
    """Smaller, and with random weights in the VGG."""
    torch.save(vgg19(weights=None, init_weights=False).features.state_dict(), "vgg19.pth")
    for split, count in {"train": 3, "val": 1, "test": 1}.items():
        for index in range(count):
            write_picture(Path("streets", split, f"{index}.png"), 2 * 64, 64, seed=index)
    small = {
        "data.root": "streets",
        "data.load_size": "64",
        "data.crop_size": "64",
        "data.num_workers": "0",
        "model.generator.init_args.base_channels": "2",
        "model.generator.init_args.blocks": "1",
        "model.discriminator.init_args.base_channels": "4",
        "model.discriminator.init_args.layers": "1",
        "trainer.precision": "32-true",
        "model.terms.perceptual.init_args.weights": "vgg19.pth",
        "trainer.log_every_n_steps": "1",
        "wandb": "off",
    }
    words = [word for name, value in small.items() for word in (f"--{name}", value)]
    main(["fit", "--config", "hd", *words, "--trainer.max_epochs", "1"])
    names = [name for name in metrics_of("hd").names if name.startswith("train/G_")]
    assert sorted(names) == ["train/G_features", "train/G_gan", "train/G_l1", "train/G_perceptual"]
    main(["fit", "--ckpt_path", f"{the_run('hd')}/checkpoints/last.ckpt", "--trainer.max_epochs", "2"])
    assert len(metrics_of("hd").series("train/G_features")) == 6


# --- bad usage and bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.lambda_l1", "abc"], "model.lambda_l1"),
        (["--model.gan_mode", "wgangp"], "model.gan_mode"),
    ],
)
def test_bad_usage_is_one_line_that_names_the_option(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = PIX2PIX.fails(capsys, "fit", "--config", "small.yaml", *words)
    assert message in said
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


@pytest.mark.slow
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
    said, code = PIX2PIX.fails(capsys, "fit", "--config", "small.yaml", "--data.num_workers", workers)
    assert message in said
    assert code == 1


def test_a_without_b_and_sizes_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "AB":
        for split in ("train", "val"):
            write_picture(Path("two", folder, split, "1.png"))
    words = ["fit", "--config", "small.yaml", "--data.root", "two", "--data.layout", "pix2pix.data.TwoFolders"]
    write_picture(Path("two/A/train/2.png"))
    said, code = PIX2PIX.fails(capsys, *words)
    assert (code, "two/A/train/2.png: no picture of this name in two/B/train" in said) == (1, True)
    write_picture(Path("two/B/train/2.png"), 16, 20)
    said, code = PIX2PIX.fails(capsys, *words)
    assert (code, "two/A/train/2.png: 16 x 16 pixels, not the same 16 x 20" in said) == (1, True)


def test_a_size_that_the_network_cannot_take_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said, code = PIX2PIX.fails(capsys, "fit", "--config", "small.yaml", "--data.crop_size", "12")
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
    said, code = PIX2PIX.fails(capsys, "fit", "--config", "small.yaml", option, "1")
    assert re.search(message, said)
    assert code == 1


@pytest.mark.slow
def test_a_layout_with_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("left", "right"):
        for split in ("train", "val", "test"):
            for number in "12":
                write_picture(Path("two", folder, split, f"{number}.png"))
    config = read_config()
    options = {"folder_a": "left", "folder_b": "right", "axes": "auto"}
    layout = {"class_path": "pix2pix.data.TwoFolders", "init_args": options}
    config["data"]["init_args"] |= {"root": "two", "layout": layout}
    write_config(config)
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    assert yaml.safe_load((the_run() / "config.yaml").read_text())["data"]["init_args"]["layout"] == layout


def test_pair(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "AB":
        write_picture(Path(folder, "train", "1.png"))
    main(["pair", "A", "B", "out"])
    assert capsys.readouterr().out.strip() == "1 pairs written to out, 0 skipped"
    said, code = PIX2PIX.fails(capsys, "pair", "A", "absent", "out")
    assert (code, "absent: no such folder" in said) == (1, True)
    said, code = PIX2PIX.fails(capsys, "pair", "A")
    assert code == 2
