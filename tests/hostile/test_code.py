"""Files are data: none of the roads that read one runs the code in it."""

import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference import DataError, open_picture, read_checkpoint
from inference.page.uploads import Limits, open_upload
from losses import PerceptualLoss
from losses.pretrained import read_state_dict
from multitask import MultiTask, Predictor, TimmEncoder
from multitask.data import MTAN, Folders
from multitask.data.files import read_array
from pix2pix import Pix2Pix, Translator, UNetGenerator
from pix2pix.data import Parquet, SideBySide
from pix2pix.feature_networks import feature_network
from tests.hostile.payload import MARK, WRITERS, nothing_runs, write_npy, write_npz, write_parquet
from tests.pix2pix.pictures import write_picture
from tests.training.programs import PROGRAMS, SILENCED, read_config, write_config

EVIL = Path("evil.ckpt")

pytestmark = SILENCED


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("form", WRITERS)
def test_the_payload_goes_off_where_files_are_read_as_code(form: str) -> None:
    """Otherwise the tests below would show nothing."""
    WRITERS[form](EVIL)
    if form == "pickle":
        pickle.loads(EVIL.read_bytes())["evil"].close()
    else:
        torch.load(EVIL, weights_only=False)["evil"].close()
    assert MARK.exists()
    MARK.unlink()
    for write, name in (write_npy, "evil.npy"), (write_npz, "evil.npz"):
        write(Path(name))
        loaded = np.load(name, allow_pickle=True)
        array = loaded["arr_0"] if name.endswith("npz") else loaded
        array[0].close()
        assert MARK.exists()
        MARK.unlink()


COMMANDS = {
    "pix2pix": {
        "fit": ["--config", "small.yaml", "--ckpt_path", str(EVIL)],
        "validate": ["--config", "small.yaml", f"--ckpt_path={EVIL}"],
        "test": ["--config", "small.yaml", "--ckpt_path", str(EVIL), "--weights_only", "false"],
        "predict": ["--config", "small.yaml", "--ckpt_path", str(EVIL)],
        "translate": [str(EVIL), "data/test", "out"],
        "export": [str(EVIL), "out.safetensors"],
        "gallery": ["runs/small/now"],
        "serve": [str(EVIL), "--port", "0"],
        "modes": ["--config", "small.yaml", "--ckpt_path", str(EVIL)],
        "import": [str(EVIL), "out.ckpt"],
    },
    "multitask": {
        "fit": ["--config", "small.yaml", "--ckpt_path", str(EVIL)],
        "validate": ["--config", "small.yaml", f"--ckpt_path={EVIL}"],
        "test": ["--config", "small.yaml", "--ckpt_path", str(EVIL), "--weights_only", "false"],
        "predict": [str(EVIL), "data/test/image", "out"],
        "export": [str(EVIL), "out.safetensors"],
        "gallery": ["runs/small/now"],
        "serve": [str(EVIL), "--port", "0"],
    },
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_command_runs_the_code_of_a_checkpoint(
    name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = PROGRAMS[name]
    program.enter(tmp_path, monkeypatch)
    run = Path("runs/small/now")  # where gallery looks for the configuration
    (run / "checkpoints").mkdir(parents=True)
    Path("small.yaml").rename(run / "config.yaml")
    Path("small.yaml").symlink_to(run / "config.yaml")
    WRITERS[form](run / "checkpoints" / "best.ckpt")
    EVIL.symlink_to(run / "checkpoints" / "best.ckpt")
    for command, words in COMMANDS[name].items():
        with nothing_runs():
            said, code = program.fails(capsys, command, *words)
        file = run / "checkpoints" / "best.ckpt" if command == "gallery" else EVIL
        assert f"{file}: not a " in said, command
        assert code == 1


def test_a_checkpoint_that_a_configuration_names_is_read_as_data_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = PROGRAMS["pix2pix"]
    program.enter(tmp_path, monkeypatch)
    WRITERS["zip"](EVIL)
    write_config(read_config() | {"ckpt_path": str(EVIL), "weights_only": False})
    with nothing_runs():
        said, code = program.fails(capsys, "fit", "--config", "small.yaml")
    assert ("evil.ckpt: not a checkpoint" in said, code) == (True, 1)


def hub_folder(file: Path) -> Path:
    """A folder as of the hub, whose weights are the file."""
    folder = Path("hub")
    folder.mkdir()
    (folder / "config.json").write_text('{"class_path": "pix2pix.UNetGenerator", "init_args": {"levels": 3}}')
    file.rename(folder / "model.safetensors")
    (folder / "pytorch_model.bin").write_bytes((folder / "model.safetensors").read_bytes())
    return folder


READERS: dict[str, Callable[[Path], Any]] = {
    "read_checkpoint": read_checkpoint,
    "Pix2Pix.load_from_checkpoint": Pix2Pix.load_from_checkpoint,
    "MultiTask.load_from_checkpoint": MultiTask.load_from_checkpoint,
    "Translator": Translator,
    "Predictor": Predictor,
    "read_state_dict": read_state_dict,
    "PerceptualLoss": lambda file: PerceptualLoss(weights=str(file)),
    "TimmEncoder, weights": lambda file: TimmEncoder("resnet10t", weights=str(file)),
    "TimmEncoder, weights called .safetensors": lambda file: TimmEncoder(
        "resnet10t", weights=str(file.rename("evil.safetensors"))
    ),
    "TimmEncoder, an option of timm's": lambda file: TimmEncoder("resnet10t", options={"checkpoint_path": str(file)}),
    "TimmEncoder, timm's own table": lambda file: TimmEncoder(
        "resnet10t", options={"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}
    ),
    "features of FID": lambda file: feature_network(str(file)),
    "from_pretrained": lambda file: UNetGenerator.from_pretrained(hub_folder(file)),
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("road", READERS)
def test_no_reader_of_weights_runs_the_code_in_them(road: str, form: str) -> None:
    WRITERS[form](EVIL)
    with nothing_runs(), pytest.raises(ValueError, match=r"evil\.|hub|option weights instead") as error:
        READERS[road](EVIL)
    assert "\n" not in str(error.value)


def mtan(file: Path) -> Any:
    """A data set of MTAN's whose only image is the file."""
    folder = Path("mtan/train/image")
    folder.mkdir(parents=True)
    file.rename(folder / "0.npy")
    return MTAN(Path("mtan"), "train").read(0)


ARRAYS: dict[str, Callable[[Path], Any]] = {
    "open_picture": lambda file: open_picture(file).read(),
    "a picture of pairs": lambda file: SideBySide(file.parent.absolute(), ".").read(0)[0].read(),
    "read_array": lambda file: read_array(file, 1),
    "MTAN": mtan,
    "upload": lambda file: open_upload(file.read_bytes(), "auto", Limits()),
}


@pytest.mark.parametrize("road", ARRAYS)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_no_reader_of_arrays_runs_the_code_in_them(road: str, ending: str) -> None:
    (write_npy if ending == ".npy" else write_npz)(Path(f"evil{ending}"))
    with nothing_runs(), pytest.raises(DataError) as error:
        ARRAYS[road](Path(f"evil{ending}"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", WRITERS)
def test_a_pickle_that_is_called_a_picture_is_none(form: str) -> None:
    for ending in ".png", ".jpg", ".tif", ".npy", ".npz":
        file = Path(f"evil{ending}")
        WRITERS[form](file)
        with nothing_runs(), pytest.raises(DataError, match=f"evil{ending}"):
            open_picture(file).read()
        with nothing_runs(), pytest.raises(DataError, match="the picture"):
            open_upload(file.read_bytes(), "auto", Limits())


def test_parquet_with_a_pickled_type() -> None:
    write_parquet(Path("train.parquet"))
    with nothing_runs(), pytest.raises(DataError):
        Parquet(Path(), "train").read(0)


def test_depths_of_a_folder() -> None:
    write_picture(Path("scenes/train/image/1.png"))
    Path("scenes/train/depth").mkdir()
    write_npy(Path("scenes/train/depth/1.npy"))
    with nothing_runs(), pytest.raises(DataError, match=r"1\.npy"):
        Folders(Path("scenes"), "train").read(0)


# --- classes that configurations and checkpoints name


MODULE = """
from pathlib import Path
Path("imported").touch()
class Wrong:
    def __init__(self, *arguments, **options):
        Path("code-was-run").touch()
"""


@pytest.fixture
def _wrong_class(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Path("strange.py").write_text(MODULE)
    monkeypatch.syspath_prepend(Path.cwd())
    yield
    sys.modules.pop("strange", None)


@pytest.mark.usefixtures("_wrong_class")
@pytest.mark.parametrize(
    ("program", "option"),
    [
        ("pix2pix", "model.generator"),
        ("pix2pix", "data"),
        ("pix2pix", "data.layout"),
        ("multitask", "model.encoder"),
        ("multitask", "model.tasks.seg"),
        ("multitask", "model.weighting"),
        ("multitask", "data.layout"),
    ],
)
def test_a_class_of_another_kind_is_never_built(
    program: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    PROGRAMS[program].enter(tmp_path, monkeypatch)
    with nothing_runs():
        said, code = PROGRAMS[program].fails(capsys, "fit", "--config", "small.yaml", f"--{option}", "strange.Wrong")
    assert ("strange.Wrong" in said, code) == (True, 2), said


@pytest.mark.parametrize("path", ["os.system", "subprocess.Popen", "builtins.eval"])
@pytest.mark.parametrize("option", ["model.generator", "data.layout"])
def test_what_runs_programs_is_no_class(
    path: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    PROGRAMS["pix2pix"].enter(tmp_path, monkeypatch)
    said, code = PROGRAMS["pix2pix"].fails(capsys, "fit", "--config", "small.yaml", f"--{option}", path)
    assert (path in said, code) == (True, 2)


@pytest.mark.usefixtures("_wrong_class")
@pytest.mark.parametrize("path", ["strange.Wrong", "os.system", "builtins.exec"])
def test_a_checkpoint_builds_no_class_but_of_its_networks(path: str) -> None:
    recipe = {"class_path": path, "init_args": {"command": "touch code-was-run"}}
    torch.save({"state_dict": {}, "hyper_parameters": {"generator": recipe, "discriminator": recipe}}, "strange.ckpt")
    torch.save({"state_dict": {}, "hyper_parameters": {"tasks": {"a": recipe}, "encoder": recipe}}, "tasks.ckpt")
    roads: list[tuple[Callable[[str], Any], str]] = [
        (Translator, "strange.ckpt"),
        (Pix2Pix.load_from_checkpoint, "strange.ckpt"),
        (Predictor, "tasks.ckpt"),
    ]
    for read, file in roads:
        with nothing_runs(), pytest.raises(ValueError, match=r"is not a subclass of (Generator|Encoder)"):
            read(file)
