"""Configurations that are none, and classes that are not there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.errors.row import FIT, Row
from tests.training.programs import read_config

BAD = Path("bad.yaml")
TRAIN = "pix2pix fit --config bad.yaml"


def text(content: str) -> Callable[[], None]:
    return lambda: BAD.write_text(content) and None


def added(line: str) -> Callable[[], None]:
    """small.yaml with a line before the others."""
    return lambda: BAD.write_text(f"{line}\n{Path('small.yaml').read_text()}") and None


def replaced(old: str, new: str) -> Callable[[], None]:
    def write() -> None:
        before = Path("small.yaml").read_text()
        assert old in before
        BAD.write_text(before.replace(old, new, 1))

    return write


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
    """small.yaml with other values."""

    def write() -> None:
        config = read_config()
        change(config)
        BAD.write_text(yaml.safe_dump(config))

    return write


def no_class(config: dict[str, Any]) -> None:
    config["model"]["discriminator"].pop("class_path")


def bomb() -> None:
    """Nine lists of nine of the list before: 400 million values."""
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
    BAD.write_text("\n".join(lines))


CONFIGURATIONS = [
    Row("a file that is not there", "pix2pix fit --config absent.yaml", "absent.yaml", code=2),
    Row("a folder", "pix2pix fit --config data", "data", code=2),
    Row("an empty file", TRAIN, "bad.yaml", text("")),
    Row("comments alone", TRAIN, "bad.yaml", text("# nothing\n")),
    Row("a list at the top", TRAIN, "bad.yaml", text("- model\n- data\n")),
    Row("a text at the top", TRAIN, "bad.yaml", text("model and data\n")),
    Row("a picture that is called .yaml", TRAIN, "bad.yaml", lambda: Path("data/val/val00.png").rename(BAD) and None),
    Row("control characters", TRAIN, "bad.yaml", text("name: a\0b\n")),
    Row("UTF-16", TRAIN, "bad.yaml", lambda: BAD.write_bytes("name: a".encode("utf-16")) and None),
    Row("a tab", TRAIN, "bad.yaml", text("model:\n\tlambda_l1: 1\n")),
    Row("a bracket that is not closed", TRAIN, "bad.yaml", text("data: [1, 2\n")),
    Row("an indentation that fits nothing", TRAIN, "bad.yaml", text("model:\n    a: 1\n  b: 2\n")),
    Row("two documents", TRAIN, "bad.yaml", text("name: a\n---\nname: b\n")),
    Row("a key twice", TRAIN, "bad.yaml", added("name: other")),
    Row("a key twice, deep inside", TRAIN, "bad.yaml", replaced("levels: 3", "levels: 3\n      levels: 4")),
    Row("aliases that repeat 400 million values", TRAIN, "bad.yaml", bomb),
    Row("an alias that contains itself", TRAIN, "bad.yaml", text("model: &a\n  generator: *a\n")),
    Row("an alias of nothing", TRAIN, "bad.yaml", text("model: *nothing\n")),
    Row("10,000 brackets", TRAIN, "bad.yaml", text("[" * 10_000)),
    Row("a tag that runs Python", TRAIN, "bad.yaml", text("name: !!python/object/apply:os.system [touch x]\n")),
    Row("an unknown key", TRAIN, "learning_rate", added("learning_rate: 1"), 2),
    Row("an unknown key of the model", TRAIN, "lambda_l2", replaced("model:", "model:\n  lambda_l2: 1"), 2),
    Row("an unknown key of the data", TRAIN, "batches", replaced("batch_size: 2", "batches: 2"), 2),
    Row("an unknown key of a network", TRAIN, "depth", replaced("levels: 3", "depth: 3"), 2),
    Row("an unknown key of the trainer", TRAIN, "epochs", replaced("max_epochs: 2", "epochs: 2"), 2),
    Row("a text for a whole number", TRAIN, "batch_size", replaced("batch_size: 2", "batch_size: two"), 2),
    Row("a fraction for a whole number", TRAIN, "batch_size", replaced("batch_size: 2", "batch_size: 2.5"), 2),
    Row("a list for a number", TRAIN, "levels", replaced("levels: 3", "levels: [3]"), 2),
    Row("NaN for a number", TRAIN, "color_jitter", replaced("color_jitter: 0.1", "color_jitter: .nan"), 2),
    Row("infinity for a number", TRAIN, "lambda_l1", replaced("model:", "model:\n  lambda_l1: .inf"), 2),
    Row("minus infinity for a number", TRAIN, "lr_generator", replaced("model:", "model:\n  lr_generator: -.inf"), 2),
    Row("a number for a section", TRAIN, "model", edited(lambda config: config.update(model=3)), 2),
    Row("no generator", TRAIN, "generator", edited(lambda config: config["model"].pop("generator")), 2),
    Row("no data", TRAIN, "data", text("name: a\n"), 2),
    Row("no class_path", TRAIN, "discriminator", edited(no_class), 2),
]

GENERATOR, LAYOUT = f"pix2pix {FIT} --model.generator", f"pix2pix {FIT} --data.layout"
SEVERAL = f"multitask {FIT}"


CLASSES = [
    Row("a module that is not there", f"{GENERATOR} absent.Generator", "absent.Generator", code=2),
    Row("a class that is not there", f"{GENERATOR} pix2pix.Absent", "pix2pix.Absent", code=2),
    Row("no path", f"{GENERATOR} Absent", "Absent", code=2),
    Row("a colon in place of a dot", f"{GENERATOR} pix2pix:UNetGenerator", "pix2pix:UNetGenerator", code=2),
    Row("a class of another kind", f"{GENERATOR} pix2pix.PatchDiscriminator", "pix2pix.PatchDiscriminator", code=2),
    Row("a class of torch", f"{GENERATOR} torch.nn.Linear", "torch.nn.Linear", code=2),
    Row("the base of the networks", f"{GENERATOR} pix2pix.Generator", "pix2pix.Generator", code=2),
    Row("a function that runs programs", f"{GENERATOR} os.system", "os.system", code=2),
    Row("a module in place of a class", f"{GENERATOR} pix2pix.generators", "pix2pix.generators", code=2),
    Row("a network in place of data", f"pix2pix {FIT} --data pix2pix.UNetGenerator", "pix2pix.UNetGenerator", code=2),
    Row("a network in place of a layout", f"{LAYOUT} pix2pix.UNetGenerator", "pix2pix.UNetGenerator", code=2),
    Row("a layout that is not there", f"{LAYOUT} pix2pix.data.Absent", "pix2pix.data.Absent", code=2),
    Row("a layout of several tasks", f"{LAYOUT} multitask.data.Rooms", "multitask.data.Rooms", code=2),
    Row("a term that is not there", f"pix2pix {FIT} --model.terms.mine losses.Absent", "losses.Absent", code=2),
    Row("a term of torch", f"pix2pix {FIT} --model.terms.mine torch.nn.L1Loss", "torch.nn.L1Loss", code=2),
    Row("an encoder that is none", f"{SEVERAL} --model.encoder torch.nn.Linear", "torch.nn.Linear", code=2),
    Row("a task that is none", f"{SEVERAL} --model.tasks.seg torch.nn.Linear", "torch.nn.Linear", code=2),
    Row("a task that is not there", f"{SEVERAL} --model.tasks.seg multitask.Absent", "multitask.Absent", code=2),
    Row("a weighting that is not there", f"{SEVERAL} --model.weighting losses.Absent", "losses.Absent", code=2),
    Row("a loss in place of a weighting", f"{SEVERAL} --model.weighting losses.L1Loss", "losses.L1Loss", code=2),
    Row("a callback that is not there", f"{SEVERAL} --trainer.callbacks absent.Callback", "absent.Callback", code=2),
]
