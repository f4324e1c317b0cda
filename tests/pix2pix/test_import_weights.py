"""``pix2pix import``: a checkpoint from the reference's weights, which translates, and trains on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from inference import read_checkpoint
from pix2pix import PatchDiscriminator, Pix2Pix, ResNetGenerator, UNetGenerator
from pix2pix.__main__ import main
from tests.pix2pix.reference import filled, patch_names, pictures, resnet_names, unet_names
from tests.training.programs import PIX2PIX, SILENCED, the_run

pytestmark = SILENCED
CASES = json.loads((Path(__file__).parent / "reference_steps.json").read_text())


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    PIX2PIX.enter(tmp_path, monkeypatch)
    yield
    torch.use_deterministic_algorithms(False)


def save(file: str, network: torch.nn.Module, names: list[str]) -> dict[str, Tensor]:
    state = filled(names, [tensor.shape for tensor in network.state_dict().values()])
    torch.save({name: tensor.float() for name, tensor in state.items()}, file)
    return state


def save_small() -> None:
    """Networks of 16 x 16 pictures and more, and not those of small.yaml."""
    save("G.pth", ResNetGenerator(base_channels=2, blocks=1), resnet_names(1, "batch", dropout=False))
    save("D.pth", PatchDiscriminator(6, 3, layers=2), patch_names("batch", layers=2))


@pytest.mark.parametrize("case", CASES, ids=[f"{case['netG']}-{case['norm']}" for case in CASES])
def test_outputs_are_the_references(case: dict[str, Any]) -> None:
    """To the rounding of weights in float32: the numbers are of the reference's first training step, in float64."""
    channels, norm = (case["in_channels"], case["out_channels"]), case["norm"]
    save("G.pth", UNetGenerator(*channels, case["nf"], norm=norm), unet_names(8, norm))
    save("D.pth", PatchDiscriminator(sum(channels), case["nf"], norm=norm), patch_names(norm))
    main(["import", "G.pth", "a.ckpt", "--discriminator", "D.pth", "--unet_dropout", "0"])
    model = Pix2Pix.load_from_checkpoint("a.ckpt").double()

    source = pictures(case["batch"], channels[0], case["size"], phase=0.3)
    target = pictures(case["batch"], channels[1], case["size"], phase=1.1)
    with torch.no_grad():
        fake, scores = model.generator(source), model.discriminator(torch.cat([source, target], 1))
    step, size = case["steps"][0], case["size"]
    pixels = fake[0, 0, 0, 0], fake[-1, -1, size // 2, size // 3], fake[0, 0, -1, -1]
    assert [pixel.item() for pixel in pixels] == pytest.approx(step["px"], rel=1e-4)
    assert (fake.mean().item(), fake.std().item()) == pytest.approx((step["fake_mean"], step["fake_std"]), rel=1e-4)
    loss = binary_cross_entropy_with_logits(scores, torch.ones_like(scores))
    assert loss.item() == pytest.approx(step["D_real"], rel=1e-5)


def test_fit_trains_on_with_the_options_of_its_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    save_small()
    main(["import", "G.pth", "a.ckpt", "--discriminator", "D.pth"])
    said = capsys.readouterr().out
    assert "ResNetGenerator: in_channels 3, out_channels 3, base_channels 2, blocks 1, norm batch, dropout 0.0" in said
    assert "PatchDiscriminator: in_channels 6, base_channels 3, layers 2, norm batch" in said

    words = ["fit", "--config", "small.yaml", "--ckpt_path", "a.ckpt", "--model.lambda_l1", "7"]
    main([*words, "--model.lr_generator", "0"])
    before, after = read_checkpoint("a.ckpt"), read_checkpoint(the_run() / "checkpoints" / "last.ckpt")
    assert (after["epoch"], after["global_step"]) == (1, 10)
    assert after["hyper_parameters"]["lambda_l1"] == 7
    generator, judge = "generator.stem.1.weight", "discriminator.layers.0.weight"
    assert torch.equal(after["state_dict"][generator], before["state_dict"][generator])  # at a rate of 0
    moved = (after["state_dict"][judge] - before["state_dict"][judge]).abs()
    assert 0 < moved.max() < 10.5 * 2e-4  # ten of Adam's first steps


def test_test_measures_the_imported_generator(capsys: pytest.CaptureFixture[str]) -> None:
    save_small()
    main(["import", "G.pth", "a.ckpt"])
    main(["test", "--config", "small.yaml", "--ckpt_path", "a.ckpt"])
    assert "this model" in capsys.readouterr().out


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_without_a_discriminator_a_new_one_fits(norm: Any) -> None:
    save("G.pth", UNetGenerator(4, 1, 2, levels=3, norm=norm), unet_names(3, norm))
    main(["import", "G.pth", "new/folder/a.ckpt"])
    recipe = Pix2Pix.load_from_checkpoint("new/folder/a.ckpt").discriminator.recipe()
    assert recipe == PatchDiscriminator(in_channels=5, norm=norm).recipe()


def test_a_discriminator_of_the_output_alone_is_unconditional() -> None:
    save_small()
    save("D.pth", PatchDiscriminator(3, 2), patch_names("batch"))
    main(["import", "G.pth", "a.ckpt", "--discriminator", "D.pth"])
    assert not Pix2Pix.load_from_checkpoint("a.ckpt").conditional


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    save_small()
    Path("a.ckpt").write_text("precious")
    said, code = PIX2PIX.fails(capsys, "import", "G.pth", "a.ckpt")
    assert ("a.ckpt is there already" in said, code) == (True, 1)
    assert Path("a.ckpt").read_text() == "precious"


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of a file of weights was run",)


def test_what_is_no_file_of_weights_is_one_line_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    save_small()
    save("other.pth", PatchDiscriminator(4, 2), patch_names("batch"))
    Path("text.pth").write_text("no weights")
    torch.save({"a": Evil()}, "evil.pth")
    torch.save({"state_dict": {"a": torch.zeros(1)}}, "nested.pth")
    for words, message in {
        ("absent.pth",): r"absent\.pth: no such file",
        ("text.pth",): r"text\.pth: not a file of weights that can be read",
        ("evil.pth",): r"evil\.pth: not a file of weights that can be read",
        ("nested.pth",): r"nested\.pth: not a dictionary of tensors",
        ("D.pth",): r"D\.pth: no generator of the reference .* has the entries model\.0\.weight",
        ("G.pth", "--discriminator", "G.pth"): r"G\.pth: no discriminator of the reference",
        ("G.pth", "--discriminator", "other.pth"): r"other\.pth does not go with G\.pth: .* must be 6",
    }.items():
        said, code = PIX2PIX.fails(capsys, "import", words[0], "a.ckpt", *words[1:])
        assert re.search(message, said), said
        assert (code, Path("a.ckpt").exists()) == (1, False)
        assert "code of a file" not in capsys.readouterr().out
