import pytest
import torch
from torch import nn

from inference import Network
from pix2pix import PatchDiscriminator, ResNetGenerator, UNetGenerator
from pix2pix.reference_weights import load_reference_weights
from tests.pix2pix.reference import filled, patch_names, unet_names


def reference_state(network: Network, names: list[str]) -> dict[str, torch.Tensor]:
    return filled(names, [tensor.shape for tensor in network.state_dict().values()])


@pytest.mark.parametrize("levels", [6, 7, 8])
def test_unet_names(levels: int) -> None:
    network = UNetGenerator(base_channels=2, levels=levels)
    state = reference_state(network, unet_names(levels, "batch"))
    load_reference_weights(network, state)
    assert torch.equal(network.encoder[0][0].weight, state["model.model.0.weight"].float())
    assert torch.equal(network.decoder[-1][1].bias, state["model.model.3.bias"].float())
    innermost = "model.model.1" + ".model.3" * (levels - 2)
    assert torch.equal(network.encoder[-1][1].weight, state[f"{innermost}.model.1.weight"].float())
    assert torch.equal(network.decoder[0][2].weight, state[f"{innermost}.model.4.weight"].float())


def resnet_names(blocks: int, dropout: bool) -> list[str]:
    """In the order of the reference's state_dict, from its description."""
    entries = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    second = 6 if dropout else 5
    modules: list[tuple[str, bool]] = []  # name, whether a norm
    for first in (1, 4, 7):
        modules += [(f"{first}", False), (f"{first + 1}", True)]
    for block in range(10, 10 + blocks):
        for conv in (1, second):
            modules += [(f"{block}.conv_block.{conv}", False), (f"{block}.conv_block.{conv + 1}", True)]
    after = 10 + blocks
    modules += [(f"{after}", False), (f"{after + 1}", True), (f"{after + 3}", False), (f"{after + 4}", True)]
    names = []
    for name, norm in modules:
        names += [f"model.{name}.{entry}" for entry in (entries if norm else ["weight"])]
    return [*names, f"model.{after + 7}.weight", f"model.{after + 7}.bias"]


@pytest.mark.parametrize("blocks", [6, 9])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_resnet_names(blocks: int, dropout: float) -> None:
    network = ResNetGenerator(base_channels=2, blocks=blocks, dropout=dropout)
    state = reference_state(network, resnet_names(blocks, dropout > 0))
    load_reference_weights(network, state)
    assert torch.equal(network.stem[1].weight, state["model.1.weight"].float())
    assert torch.equal(network.head[1].bias, state[f"model.{17 + blocks}.bias"].float())


def test_pixel_discriminator_names() -> None:
    network = PatchDiscriminator(6, 2, layers=0)
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    names = ["net.0.weight", "net.0.bias", "net.2.weight", *[f"net.3.{entry}" for entry in norm]]
    load_reference_weights(network, reference_state(network, [*names, "net.5.weight", "net.5.bias"]))


def test_wrappers_prefixes_and_old_statistics_of_instance_norm_are_dropped() -> None:
    network = PatchDiscriminator(6, 2, norm="instance")
    state = reference_state(network, patch_names("instance"))
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
    wrapped["module._orig_mod.model.3.running_mean"] = torch.zeros(4)
    load_reference_weights(network, wrapped)
    assert torch.equal(network.layers[0].weight, state["model.0.weight"].float())


def test_weights_of_other_options_are_refused_and_nothing_is_loaded() -> None:
    network = PatchDiscriminator(6, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = reference_state(network, patch_names("batch"))
    with pytest.raises(ValueError, match=r"lack model\.11\.bias, which layers\.11\.bias needs"):
        load_reference_weights(network, {name: state[name] for name in state if name != "model.11.bias"})
    with pytest.raises(ValueError, match=r"no place for model\.14\.weight"):
        load_reference_weights(network, {**state, "model.14.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"another shape .* \(2, 3, 4, 4\) there, \(2, 6, 4, 4\) here"):
        load_reference_weights(network, {**state, "model.0.weight": torch.zeros(2, 3, 4, 4)})
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_network_that_the_reference_lacks_is_refused() -> None:
    class Other(Network):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 1)

    with pytest.raises(TypeError, match="the reference has no Other"):
        load_reference_weights(Other(), {})
