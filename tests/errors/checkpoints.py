"""Checkpoints and weights that cannot be used."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.errors.row import CHECKPOINT, FIT, Row
from tests.hostile.checkpoints import tasks_checkpoint, translator_checkpoint
from tests.hostile.payload import WRITERS

FILE = Path(CHECKPOINT)
TRANSLATE = f"pix2pix translate {CHECKPOINT} data/test out"
PREDICT = f"multitask predict {CHECKPOINT} data/test/image out"


def cut() -> None:
    FILE.write_bytes(FILE.read_bytes()[: FILE.stat().st_size // 2])


def folder() -> None:
    FILE.unlink()
    FILE.mkdir()


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
    """Change the content of the checkpoint."""

    def write() -> None:
        content = torch.load(FILE, weights_only=True)
        change(content)
        torch.save(content, FILE)

    return write


def saved(content: Any, file: Path = FILE) -> Callable[[], None]:
    return lambda: torch.save(content, file)


def other_width(content: dict[str, Any]) -> None:
    content["hyper_parameters"]["generator"]["init_args"]["base_channels"] = 5


def other_class(path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content["hyper_parameters"]["generator"]["class_path"] = path

    return change


def unknown_option(content: dict[str, Any]) -> None:
    content["hyper_parameters"]["generator"]["init_args"]["depth"] = 3


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.pop(name)


def no_head(content: dict[str, Any]) -> None:
    weights = content["state_dict"]
    content["state_dict"] = {name: value for name, value in weights.items() if not name.startswith("heads.")}


CHECKPOINTS = [
    Row("a checkpoint that is not there", "pix2pix translate absent.ckpt data/test out", "absent.ckpt"),
    Row("half of one", TRANSLATE, CHECKPOINT, cut),
    Row("an empty file", TRANSLATE, CHECKPOINT, lambda: FILE.write_bytes(b"") and None),
    Row("a text", TRANSLATE, CHECKPOINT, lambda: FILE.write_text("no checkpoint") and None),
    Row("a folder", TRANSLATE, CHECKPOINT, folder),
    Row("a picture", "pix2pix translate data/test/test00.png data/test out", "data/test/test00.png"),
    Row("a configuration", "pix2pix translate small.yaml data/test out", "small.yaml"),
    Row("a pickle that runs code", TRANSLATE, CHECKPOINT, partial(WRITERS["pickle"], FILE)),
    Row("a file of torch.save that runs code", TRANSLATE, CHECKPOINT, partial(WRITERS["zip"], FILE)),
    Row("a tensor", TRANSLATE, CHECKPOINT, saved(torch.ones(3))),
    Row("weights alone", TRANSLATE, CHECKPOINT, saved({"state_dict": {}})),
    Row("one of several tasks", TRANSLATE, CHECKPOINT, lambda: tasks_checkpoint(FILE) and None),
    Row("one of pix2pix", PREDICT, CHECKPOINT, lambda: translator_checkpoint(FILE) and None),
    Row("weights of a network of another width", TRANSLATE, CHECKPOINT, changed(other_width)),
    Row("a class that is not there", TRANSLATE, "mine.Generator", changed(other_class("mine.Generator"))),
    Row("a class of another kind", TRANSLATE, "os.system", changed(other_class("os.system"))),
    Row("an option that the class has not", TRANSLATE, CHECKPOINT, changed(unknown_option)),
    Row("no weights of the heads", PREDICT, CHECKPOINT, changed(no_head)),
    Row("a text, to test", f"pix2pix test --config small.yaml --ckpt_path {CHECKPOINT}", CHECKPOINT, saved(0)),
    Row(
        "one of several tasks, to train on",
        f"pix2pix {FIT} --ckpt_path {CHECKPOINT}",
        CHECKPOINT,
        lambda: tasks_checkpoint(FILE) and None,
    ),
    Row(
        "one of pix2pix, to train on",
        f"multitask {FIT} --ckpt_path {CHECKPOINT}",
        CHECKPOINT,
        lambda: translator_checkpoint(FILE) and None,
    ),
    Row("one that is not there, to train on", f"pix2pix {FIT} --ckpt_path absent.ckpt", "absent.ckpt"),
    Row(
        "weights of another width, to test",
        f"pix2pix test --config small.yaml --ckpt_path {CHECKPOINT}",
        "another model",
        changed(other_width),
    ),
    Row("no checkpoint, to test", "pix2pix test --config small.yaml", "--ckpt_path"),
    Row("no checkpoint, to validate", "multitask validate --config small.yaml", "--ckpt_path"),
    Row("no checkpoint, to predict", "pix2pix predict --config small.yaml", "--ckpt_path"),
    Row("one that is not there, to serve", "multitask serve absent.ckpt", "absent.ckpt"),
    Row("one that is not there, to export", "multitask export absent.ckpt out.onnx", "absent.ckpt"),
    Row("one in no run, for the gallery", f"multitask gallery {CHECKPOINT}", CHECKPOINT),
    Row("a run without checkpoints, for the gallery", "multitask gallery data", "data"),
]

IMPORT = "pix2pix import weights.pth out.ckpt"
WEIGHTS = Path("weights.pth")
TIMM = f"multitask {FIT} --model.encoder multitask.TimmEncoder --model.encoder.name resnet10t"
FID = f"pix2pix {FIT} --metrics.names [fid] --metrics.features"

WEIGHT_FILES = [
    Row("weights to import that are not there", IMPORT, "weights.pth"),
    Row("a text to import", IMPORT, "weights.pth", lambda: WEIGHTS.write_text("weights") and None),
    Row("a pickle that runs code", IMPORT, "weights.pth", partial(WRITERS["legacy"], WEIGHTS)),
    Row("a checkpoint of ours to import", f"pix2pix import {CHECKPOINT} out.ckpt", CHECKPOINT),
    Row("weights of another network", IMPORT, "weights.pth", saved({"a.weight": torch.ones(3)}, WEIGHTS)),
    Row("a file to write that exists", "pix2pix import weights.pth small.yaml", "small.yaml"),
    Row("weights of an encoder that are not there", f"{TIMM} --model.encoder.weights absent.pth", "absent.pth"),
    Row("a text as weights of an encoder", f"{TIMM} --model.encoder.weights small.yaml", "small.yaml"),
    Row(
        "weights of another encoder",
        f"{TIMM} --model.encoder.weights weights.pth",
        "weights.pth",
        saved({"a": torch.ones(3)}, WEIGHTS),
    ),
    Row(
        "timm's own way to load weights",
        f"{TIMM} --model.encoder.options.checkpoint_path weights.pth",
        "checkpoint_path",
    ),
    Row(
        "no such network of timm",
        f"multitask {FIT} --model.encoder multitask.TimmEncoder --model.encoder.name resnet999",
        "resnet999",
    ),
    Row("weights of Inception that are not there", f"{FID} absent.pth", "absent.pth"),
    Row(
        "a pickle that runs code, as weights of Inception",
        f"{FID} weights.pth",
        "metrics.features",
        partial(WRITERS["zip"], WEIGHTS),
    ),
    Row(
        "weights of another network, as those of VGG",
        f"pix2pix {FIT} --model.terms.vgg losses.PerceptualLoss --model.terms.vgg.weights absent.pth",
        "absent.pth",
    ),
]
