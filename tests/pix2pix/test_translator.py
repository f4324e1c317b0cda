import copy
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn

from inference import DataError, InferenceMode, Picture, open_picture, run, write_picture
from inference.export import Graph
from inference.export.runtimes import OpenVino
from inference.pictures import Array
from inference.sizes import pad
from pix2pix import PairedImages, PatchDiscriminator, Pix2Pix, Translator, UNetGenerator
from pix2pix.data import Stacks, TwoFolders
from tests.inference.export.test_runtimes import Bessel, Noisy
from tests.pix2pix.training import quiet_trainer

ROOT = Path(__file__).parents[2]
WINDOW = (100.0, 4000.0)
RANDOM = np.random.default_rng(0)


def random_picture(height: int, width: int, channels: int = 1) -> Array:
    return RANDOM.integers(0, 4096, (height, width, channels), dtype=np.uint16)


def write_data(root: Path, folders: Sequence[str] = ("A", "B"), size: int = 16) -> None:
    for folder in folders:
        for split in ("train", "val", "test"):
            (root / folder / split).mkdir(parents=True)
            for name in "123":
                write_picture(root / folder / split / f"{name}.tif", random_picture(size, size))


def train(root: Path, *, norm: Any = "batch", levels: int = 3, **options: Any) -> Path:
    """Train two steps on pairs of 16 bits, and return the checkpoint."""
    plain: dict[str, Any] = {"target_channels": 1, "target_window": WINDOW, "load_size": None, "crop_size": None}
    data = PairedImages(root, **({"layout": TwoFolders, "num_workers": 0, "input_channels": 1} | plain | options))
    channels = data.values[0].labels or data.values[0].channels
    model = Pix2Pix(
        UNetGenerator(channels, 1, base_channels=8, levels=levels, norm=norm, dropout=0.0),
        PatchDiscriminator(channels + 1, 4, layers=1, norm="none"),
    )
    trainer = quiet_trainer(max_steps=2)
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(root / "last.ckpt")
    return root / "last.ckpt"


@pytest.fixture(scope="module", params=["batch", "instance"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp(request.param)
    write_data(root)
    return train(root, norm=request.param)


def assert_close(found: Array, expected: Array) -> None:
    """To one unit of the 3,900 of the window, which rounding may turn over."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")
def test_every_road_gives_the_same_picture(checkpoint: Path, tmp_path: Path) -> None:
    """Whole, in tiles, alone, in a batch, from Python, from files and by trainer.predict."""
    pictures = [random_picture(48, 64) for _ in range(3)]
    alone = [Translator(checkpoint, device="cpu")(picture) for picture in pictures]
    assert alone[0].dtype == np.uint16
    for together in (
        Translator(checkpoint, device="cpu", batch_size=3)(pictures),
        Translator(checkpoint, device="cpu", batch_size=2)(pictures[::-1])[::-1],
        Translator(Pix2Pix.load_from_checkpoint(checkpoint), device="cpu")(pictures),
        Translator(checkpoint, device="cpu", tile=40)(pictures),
    ):
        for found, expected in zip(together, alone, strict=True):
            assert_close(found, expected)

    for folder in "AB":
        (tmp_path / folder / "test").mkdir(parents=True)
        for index, picture in enumerate(pictures):
            write_picture(tmp_path / folder / "test" / f"{index}.tif", picture)
    report = Translator(checkpoint, device="cpu").predict_files([tmp_path / "A" / "test"], tmp_path / "out")
    assert (report.written, report.failed) == (3, [])
    data = PairedImages(
        tmp_path, TwoFolders, input_channels=1, target_channels=1, load_size=None, crop_size=None, num_workers=0
    )
    trainer = quiet_trainer(default_root_dir=tmp_path, callbacks=[])
    batches = trainer.predict(Pix2Pix.load_from_checkpoint(checkpoint), data, ckpt_path=checkpoint)
    assert batches is not None
    formats = data.formats
    for index, expected in enumerate(alone):
        assert_close(open_picture(tmp_path / "out" / f"{index}.tif").read(), expected)
        assert_close(formats.target.to_array(batches[index][0]), expected)


def test_a_gpu_translates_to_the_same_picture(
    checkpoint: Path, tmp_path: Path, gpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, in tiles, from Python and from files; the noise of dropout alone is drawn elsewhere there."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    pictures = [random_picture(48, 64) for _ in range(3)]
    expected = Translator(checkpoint, device="cpu")(pictures)
    translator = Translator(checkpoint, device=str(gpu), batch_size=2)
    assert next(translator.network.parameters()).device.type == "cuda"
    (tmp_path / "in").mkdir()
    for index, picture in enumerate(pictures):
        write_picture(tmp_path / "in" / f"{index}.tif", picture)
    assert translator.predict_files([tmp_path / "in"], tmp_path / "out").written == 3
    files = [open_picture(tmp_path / "out" / f"{index}.tif").read() for index in range(3)]
    for found in translator(pictures), Translator(checkpoint, device=str(gpu), tile=40)(pictures), files:
        for each, whole in zip(found, expected, strict=True):
            assert_close(each, whole)
    noisy, before = Translator(checkpoint, device=str(gpu), inference="paper"), torch.get_rng_state()
    assert noisy(pictures[0]).shape == expected[0].shape
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("mode", [InferenceMode("instance"), InferenceMode("running", dropout=True)])
def test_tiles_are_in_the_mode_and_leave_random_numbers_alone(mode: InferenceMode) -> None:
    torch.manual_seed(0)
    model = Pix2Pix(UNetGenerator(levels=6, base_channels=4), PatchDiscriminator(base_channels=4, layers=1))
    picture = RANDOM.integers(0, 256, (150, 400, 3), dtype=np.uint8)
    before = torch.get_rng_state()
    whole, tiles, again = (
        Translator(model, device="cpu", tile=side, inference=mode)(picture) for side in (448, 320, 320)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(tiles, again)
    if not mode.dropout:  # whose noise is that of a tile in each tile
        assert np.abs(tiles.astype(int) - whole.astype(int)).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (17, 301), (300, 2), (64, 64)])
def test_a_picture_of_any_size_keeps_it(checkpoint: Path, size: tuple[int, int]) -> None:
    assert Translator(checkpoint, device="cpu")(random_picture(*size)).shape == (*size, 1)


def test_pictures_come_back_in_the_form_that_they_went_in(checkpoint: Path, tmp_path: Path) -> None:
    translator, picture = Translator(checkpoint, device="cpu"), random_picture(20, 30)
    write_picture(tmp_path / "a.tif", picture)
    array = translator(picture)
    assert np.array_equal(translator(tmp_path / "a.tif"), array)
    assert np.array_equal(translator(str(tmp_path / "a.tif")), array)
    tensor = translator(torch.from_numpy(picture).movedim(-1, 0))
    assert (tensor.dtype, tensor.shape) == (torch.uint16, (1, 20, 30))
    assert np.array_equal(tensor.movedim(0, -1).numpy(), array)
    assert np.array_equal(translator(Image.fromarray(picture[..., 0])), array)  # Pillow has no kind of its own for it


def test_a_picture_of_pillow_becomes_one_where_it_has_the_kind() -> None:
    model = Pix2Pix(UNetGenerator(base_channels=4, levels=3), PatchDiscriminator(base_channels=4, layers=1))
    image = Image.new("RGB", (20, 10), (200, 100, 50))
    found = Translator(model.eval(), device="cpu")(image)
    assert isinstance(found, Image.Image)
    assert (found.mode, found.size) == ("RGB", (20, 10))


def test_a_tiff_is_streamed(checkpoint: Path, tmp_path: Path) -> None:
    """Each part is read, translated and written for itself; the result is that of the whole."""
    picture = random_picture(200, 136)
    tifffile.imwrite(tmp_path / "a.tif", picture[..., 0], tile=(16, 16), compression="zlib")
    translator = Translator(checkpoint, device="cpu", tile=64)
    report = translator.predict_files([tmp_path / "a.tif"], tmp_path / "b.tif")
    assert (report.written, report.failed) == (1, [])
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].is_tiled  # type: ignore[union-attr]
    assert_close(open_picture(tmp_path / "b.tif").read(), Translator(checkpoint, device="cpu")(picture))


def test_tiles_that_do_not_cover_what_the_generator_sees_say_so(tmp_path: Path) -> None:
    write_data(tmp_path, size=64)
    translator = Translator(train(tmp_path, levels=5), device="cpu", tile=96)
    write_picture(tmp_path / "a.png", random_picture(300, 300))
    report = translator.predict_files([tmp_path / "a.png"], tmp_path / "out")
    assert report.written == 1
    assert "tiles of 96 x 96 that overlap by 32 do not cover what the network looks at" in report.notes[1]


def test_values_outside_of_the_window_are_counted(tmp_path: Path) -> None:
    write_data(tmp_path)
    translator = Translator(train(tmp_path, input_window=(0, 1000)), device="cpu")
    write_picture(tmp_path / "a.tif", np.array([[[0], [1000]], [[1001], [65535]]], np.uint16))
    report = translator.predict_files([tmp_path / "a.tif"], tmp_path / "out")
    assert report.notes[1:] == ["50.00% of the input values lie outside of 0 to 1000, and were clipped"]
    assert translator.notes() == []


def test_unknown_pixels_stay_unknown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in "AB":
        for split in ("train", "val"):
            (tmp_path / folder / split).mkdir(parents=True)
            write_picture(tmp_path / folder / split / "1.tif", rng.random((16, 16, 1)).astype(np.float32))
    checkpoint = train(tmp_path, input_window=(0, 1), target_window=(0, 1), nan="mask")
    picture = rng.random((80, 24, 1)).astype(np.float32)
    picture[3, 5] = np.nan
    whole = Translator(checkpoint, device="cpu")(picture)
    assert np.argwhere(np.isnan(whole)).tolist() == [[3, 5, 0]]
    tiles = Translator(checkpoint, device="cpu", tile=48)(picture)
    assert np.allclose(tiles, whole, atol=1e-5, equal_nan=True)


def test_folders_that_were_stacked_are_stacked_again(tmp_path: Path) -> None:
    write_data(tmp_path / "data", ["A1", "A2", "B"])
    layout = lambda root, split: TwoFolders(root, split, folder_a=["A1", "A2"])  # noqa: E731
    translator = Translator(train(tmp_path / "data", layout=layout, input_channels=2), device="cpu")
    first, second = random_picture(20, 20), random_picture(20, 20)
    for folder, picture in ("A1", first), ("A2", second):
        (tmp_path / "new" / folder / "sub").mkdir(parents=True)
        write_picture(tmp_path / "new" / folder / "sub" / "x.tif", picture)
    report = translator.predict_files([tmp_path / "new"], tmp_path / "out")
    assert report.failed == []
    found = open_picture(tmp_path / "out" / "sub" / "x.tif").read()
    assert np.array_equal(found, translator(np.concatenate([first, second], 2)))
    with pytest.raises(DataError, match=r"A1/A1: no such folder; the model translates pictures of the folders A1, A2"):
        translator.predict_files([tmp_path / "new" / "A1"], tmp_path / "out")


def test_label_maps_are_read_as_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for folder, array in (
            ("A", RANDOM.integers(0, 5, (16, 16, 1), dtype=np.uint8)),
            ("B", random_picture(16, 16)),
        ):
            (tmp_path / folder / split).mkdir(parents=True)
            write_picture(tmp_path / folder / split / "1.png", array)
    translator = Translator(train(tmp_path, input_labels=5), device="cpu")
    labels = RANDOM.integers(0, 5, (20, 20), dtype=np.uint8)
    image = Image.fromarray(labels, "P")
    image.putpalette(bytes(range(15)))
    assert np.array_equal(translator(image), translator(labels))
    with pytest.raises(DataError, match=r"class \d+ does not exist, there are 5, numbered from 0"):
        translator(labels + 9)


def test_a_stack_is_translated_slice_by_slice(tmp_path: Path) -> None:
    pages = RANDOM.integers(0, 4096, (5, 48, 40), dtype=np.uint16)
    for folder in "AB":
        for split in ("train", "val"):
            (tmp_path / folder / split).mkdir(parents=True)
            tifffile.imwrite(tmp_path / folder / split / "1.tif", pages, photometric="minisblack")
    checkpoint = train(tmp_path, layout=Stacks, input_channels=3)
    report = Translator(checkpoint, device="cpu", batch_size=2).predict_files(
        [tmp_path / "A" / "val"], tmp_path / "out"
    )
    assert (report.written, report.failed) == (1, [])
    found = tifffile.imread(tmp_path / "out" / "1.tif")
    assert (found.shape, found.dtype) == ((5, 48, 40), np.uint16)
    report = Translator(checkpoint, device="cpu").predict_files([tmp_path / "A" / "val" / "1.tif"], tmp_path / "a.png")
    assert report.failed[0].endswith("a.png: slices are written as the pages of a TIFF; give it the ending .tif")
    array = Translator(checkpoint, device="cpu", tile=44)(pages.transpose(1, 2, 0))  # in tiles, and from memory
    assert_close(array.transpose(2, 0, 1), found)
    model = Pix2Pix.load_from_checkpoint(checkpoint)
    middle = Translator(model, device="cpu").run(
        model.formats.input.read(Picture.of(pages[1:4].transpose(1, 2, 0)))[None] * 2 - 1
    )
    assert_close(model.formats.target.to_array(middle[0])[..., 0], found[2])


def test_the_size_may_be_another_one(checkpoint: Path) -> None:
    assert Translator(checkpoint, device="cpu", size=(24, 40))(random_picture(50, 50)).shape == (24, 40, 1)


def test_the_mode_may_be_another_one(checkpoint: Path) -> None:
    picture = random_picture(24, 24)
    standard = Translator(checkpoint, device="cpu")(picture)
    own = Translator(checkpoint, device="cpu", inference=InferenceMode("instance"))(picture)
    statistics = "batch" in str(checkpoint)
    assert np.array_equal(standard, own) != statistics


def test_samples_give_a_mean_and_a_spread(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Pix2Pix(UNetGenerator(levels=7, base_channels=4), PatchDiscriminator(base_channels=4, layers=1))
    noisy = {"device": "cpu", "inference": "paper"}
    picture = np.full((40, 50, 3), 99, np.uint8)
    spread = Translator(model, samples=5, **noisy)(picture)  # type: ignore[arg-type]
    padded = Translator(model, **noisy)  # type: ignore[arg-type]
    prepared = pad(padded.prepare(Picture.of(picture))[None], 128)
    outputs = [run(model.generator, prepared, InferenceMode("instance", dropout=True), seed) for seed in range(5)]
    values = (torch.stack(outputs)[:, 0, :, :40, :50].detach().movedim(1, -1).numpy() + 1) * 127.5
    assert np.abs(spread.mean - values.mean(0)).max() <= 0.51
    assert spread.std.dtype == np.float32
    assert np.allclose(spread.std, values.std(0, ddof=1), atol=1e-3)
    assert spread.std.max() > 0

    write_picture(tmp_path / "a.png", picture)
    report = Translator(model, samples=5, **noisy).predict_files([tmp_path / "a.png"], tmp_path / "out")  # type: ignore[arg-type]
    assert report.failed == []
    assert np.array_equal(open_picture(tmp_path / "out" / "a_mean.png").read(), spread.mean)
    assert np.array_equal(open_picture(tmp_path / "out" / "a_std.tif").read(), spread.std)
    with pytest.raises(DataError, match="samples are taken of whole pictures alone; set tile to 50"):
        Translator(model, samples=5, tile=32, **noisy)(picture)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 3}, "samples 3: all would be alike, as there is no dropout; set inference to paper"),
        ({"samples": 0}, "samples must be at least 1; got 0"),
        ({"tile": 0}, "tile must be at least 1; got 0"),
        ({"size": (0, 4)}, r"size must be at least 1; got \(0, 4\)"),
        ({"inference": "odd"}, "inference must be one of standard, paper"),
        (
            {"inference": InferenceMode("recalibrated")},
            "this checkpoint was not written after a validation in this mode",
        ),
    ],
)
def test_bad_options_are_refused(checkpoint: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Translator(checkpoint, device="cpu", **options)


def test_a_copy_of_a_model_translates_with_its_own_weights() -> None:
    model = Pix2Pix(UNetGenerator(levels=3, base_channels=4), PatchDiscriminator(base_channels=4, layers=1))
    picture = torch.rand(1, 3, 16, 16)
    before = model.translator.run(picture)
    copied = copy.deepcopy(model)
    torch.nn.init.zeros_(model.generator.decoder[-1][1].weight)  # type: ignore[index,arg-type]
    assert torch.equal(copied.translator.run(picture), before)
    assert not torch.equal(model.translator.run(picture), before)


def test_what_the_checkpoint_says_is_told(checkpoint: Path) -> None:
    assert Translator(checkpoint, device="cpu").describe() == [
        "input: 1 x uint16, 0 to 65535",
        "output: 1 x uint16, 100 to 4000",
        "batch norm: running   dropout: off   device: cpu   backend: auto",
    ]


def test_the_ending_of_the_result(checkpoint: Path, tmp_path: Path) -> None:
    translator = Translator(checkpoint, device="cpu")
    for ending in (".png", ".tif", ".npy", ".npz"):
        file = tmp_path / f"a{ending}"
        if ending == ".npz":
            np.savez(file, random_picture(4, 4))
        else:
            write_picture(file, random_picture(4, 4))
        translator.predict_files([file], tmp_path / f"out{ending[1:]}")
    written = [file.relative_to(tmp_path).as_posix() for file in sorted(tmp_path.glob("out*/*"))]
    assert written == ["outnpy/a.npy", "outnpz/a.png", "outpng/a.png", "outtif/a.tif"]
    report = translator.predict_files([tmp_path / "a.png"], tmp_path / "b.jpg")
    assert report.failed[0].endswith("b.jpg: .jpg does not hold 1 x uint16; take .png")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"encoder": 1}}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt: a checkpoint of another model than pix2pix"):
        Translator(tmp_path / "a.ckpt")


def test_an_older_checkpoint_translates_8_bits() -> None:
    file = Path(__file__).with_name("before_0_2.ckpt")
    found = Translator(file, device="cpu")(np.zeros((20, 20, 3), np.uint8))
    assert (found.dtype, found.shape) == (np.uint8, (20, 20, 3))


STREAMING = """
import resource, sys
import numpy as np, torch
from pix2pix import Translator

torch.set_num_threads(1)
translator = Translator(sys.argv[1], device="cpu", tile=320, batch_size=1)
translator.predict_files([sys.argv[2]], sys.argv[3])  # a small one: all that is loaded once is loaded
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = translator.predict_files([sys.argv[4]], sys.argv[5])
assert (report.written, report.failed) == (1, []), report
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_large_tiff_is_translated_in_little_memory(tmp_path: Path) -> None:
    """It has 34 million pixels: 67 MB in the file's depth, 134 MB for each channel of the network."""
    write_data(tmp_path)
    checkpoint = train(tmp_path)

    def tiles(count: int) -> Iterator[Array]:
        for index in range(count):
            yield np.full((512, 512), index, np.uint16)

    for name, size in ("small", (1024, 8192)), ("large", (4096, 8192)):
        file = tmp_path / f"{name}.tif"
        count = size[0] * size[1] // 512**2
        tifffile.imwrite(file, tiles(count), shape=size, dtype="uint16", tile=(512, 512), compression="zlib")
    words = [str(tmp_path / name) for name in ("small.tif", "small-out.tif", "large.tif", "large-out.tif")]
    command = [sys.executable, "-c", STREAMING, str(checkpoint), *words]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert int(said) < 40_000  # kilobytes; the whole would take ten times that


@pytest.mark.slow
def test_another_runtime_translates_to_the_same_pixels_whole_and_in_tiles(checkpoint: Path) -> None:
    picture = random_picture(53, 45)
    options: Any
    for options in {}, {"tile": 32}:
        ours, theirs = (
            Translator(checkpoint, device="cpu", backend=backend, **options) for backend in ("torch", "onnxruntime")
        )
        assert theirs.describe()[-1].endswith("backend: onnxruntime")
        assert np.abs(ours(picture).astype(int) - theirs(picture)).max() <= 1  # of 3,901 values: rounding


@pytest.mark.slow
def test_many_files_go_through_the_fastest_runtime_and_few_through_torch(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    pictures = {name: random_picture(32, 45) for name in "ab"}
    for name, picture in pictures.items():
        write_picture(tmp_path / "in" / f"{name}.png", picture)
    options: Any
    for pays, options, runtime in (
        (1e30, {}, None),
        (0, {}, OpenVino),
        (0, {"precision": "bf16"}, None),
        (0, {"inference": "paper"}, None),  # a graph has no noise
        (0, {"backend": "torch"}, None),
    ):
        monkeypatch.setattr("inference.predictor.PAYS", pays)
        translator = Translator(checkpoint, device="cpu", **options)
        report = translator.predict_files([tmp_path / "in"], tmp_path / "out", overwrite=True)
        assert report.written == 2
        assert isinstance(translator.runtime, runtime or NoneType)
        assert ("the network ran in openvino" in report.notes) == (runtime is not None)
        if not options:
            expected = Translator(checkpoint, device="cpu", backend="torch")(pictures["a"])
            found = open_picture(tmp_path / "out" / "a.png").read().astype(int)
            assert np.abs(found - expected).max() <= 1  # of 3,901 values: rounding


@pytest.mark.slow
@pytest.mark.parametrize("network", [Noisy(), Bessel()], ids=["other outputs", "no such operation"])
def test_a_generator_that_cannot_be_converted_stays_in_torch(
    network: nn.Module, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.predictor.PAYS", 0)
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", random_picture(32, 32))
    translator = Translator(checkpoint, device="cpu")
    monkeypatch.setattr(translator, "graph", lambda: Graph(network, 1, 8, 8, ("output",)))
    report = translator.predict_files([tmp_path / "in"], tmp_path / "out")
    assert (report.written, translator.runtime, len(report.notes)) == (1, None, 1)


def test_a_first_picture_that_cannot_be_read_stops_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.predictor.PAYS", 1)
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "b.png", random_picture(32, 32))
    (tmp_path / "in" / "a.png").write_text("text")
    translator = Translator(checkpoint, device="cpu")
    report = translator.predict_files([tmp_path / "in"], tmp_path / "out")
    assert (report.written, len(report.failed), translator.runtime) == (1, 1, None)


def test_a_runtime_has_no_noise(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="dropout: a graph has no noise"):
        Translator(checkpoint, device="cpu", inference="paper", backend="onnxruntime")
