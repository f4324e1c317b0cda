"""What the training step is timed beside is the same step."""

import pytest
import torch

from benchmarks.plain_pix2pix import PlainStep, PlainUNet, copy_weights, plain_patch_gan, require_same_step
from pix2pix import UNetGenerator


@pytest.mark.parametrize("large", [1, 2**20], ids=["products", "convolutions"])
@pytest.mark.parametrize("batch", [1, 2])
def test_both_steps_have_the_same_losses_and_gradients(monkeypatch: pytest.MonkeyPatch, batch: int, large: int) -> None:
    monkeypatch.setattr("inference.convolutions.LARGE", large)
    require_same_step(batch=batch)


def test_a_step_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.plain_pix2pix.LAMBDA", 99.0)
    with pytest.raises(AssertionError):
        require_same_step()


def test_the_plain_networks_have_the_papers_sizes() -> None:
    with torch.device("meta"):
        generator, discriminator = PlainUNet(), plain_patch_gan()
    assert sum(parameter.numel() for parameter in generator.parameters()) == 54_413_955
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 2_768_705
    with pytest.raises(ValueError, match="the networks are not the same"):
        copy_weights(UNetGenerator(base_channels=4, levels=5), PlainUNet(8, 5))


def test_the_plain_step_trains() -> None:
    torch.manual_seed(0)
    step = PlainStep(PlainUNet(4, 5), plain_patch_gan(4))
    source, target = torch.rand(2, 1, 3, 32, 32)
    first, *_, last = [step(source, target)["G_l1"].item() for _ in range(20)]
    assert last < first
