import re

import pytest
import torch
from torch import nn

from inference import Network
from pix2pix import PatchDiscriminator, ResNetGenerator, UNetGenerator
from pix2pix.reference_weights import build_discriminator, build_generator, load_reference_weights
from tests.pix2pix.reference import filled, patch_names, pixel_names, resnet_names, unet_names

GENERATORS = [
    *((UNetGenerator(3, 1, 2, levels), unet_names(levels, "batch")) for levels in (2, 7, 8)),
    (UNetGenerator(4, 3, 3, 6, norm="instance"), unet_names(6, "instance")),
    (ResNetGenerator(1, 3, 2, 6), resnet_names(6, "batch", dropout=False)),
    (ResNetGenerator(3, 3, 2, 9, dropout=0.5), resnet_names(9, "batch", dropout=True)),
    (ResNetGenerator(3, 2, 3, 6, "instance"), resnet_names(6, "instance", dropout=False)),
    (ResNetGenerator(3, 2, 2, 9, "instance", 0.5), resnet_names(9, "instance", dropout=True)),
]
DISCRIMINATORS = [
    *((PatchDiscriminator(3 + layers, 2, layers), patch_names("batch", layers)) for layers in (1, 2, 3, 6)),
    (PatchDiscriminator(3, 3, 3, "instance"), patch_names("instance")),
    (PatchDiscriminator(6, 2, 0), pixel_names("batch")),
    (PatchDiscriminator(4, 2, 0, "instance"), pixel_names("instance")),
]


def reference_state(network: Network, names: list[str]) -> dict[str, torch.Tensor]:
    shapes = [tensor.shape for tensor in network.state_dict().values()]
    return filled(names, shapes[: len(names)])  # PixelGAN's last bias may be ours alone


@pytest.mark.parametrize(("network", "names"), GENERATORS)
def test_a_generator_is_known_by_its_names_and_shapes(network: Network, names: list[str]) -> None:
    state = reference_state(network, names)
    built = build_generator(state)
    assert built.recipe() == network.recipe()
    load_reference_weights(network, state)
    assert all(map(torch.equal, built.state_dict().values(), network.state_dict().values()))


@pytest.mark.parametrize(("network", "names"), DISCRIMINATORS)
def test_a_discriminator_is_known_by_its_names_and_shapes(network: Network, names: list[str]) -> None:
    state = reference_state(network, names)
    built = build_discriminator(state)
    assert built.recipe() == network.recipe()
    load_reference_weights(network, state)
    assert all(map(torch.equal, built.state_dict().values(), network.state_dict().values()))


def test_the_bias_that_the_pixel_discriminator_of_the_reference_lacks_is_zero() -> None:
    network = PatchDiscriminator(6, 2, layers=0)
    torch.nn.init.ones_(network.layers[5].bias)
    load_reference_weights(network, reference_state(network, pixel_names("batch")))
    assert network.layers[5].bias.item() == 0


def test_old_statistics_of_instance_norm_do_not_make_it_batch_norm() -> None:
    network = UNetGenerator(base_channels=2, levels=2, norm="instance")
    state = reference_state(network, unet_names(2, "instance"))
    state |= {"model.model.1.model.4.running_mean": torch.zeros(2), "model.model.1.model.4.running_var": torch.ones(2)}
    assert build_generator(state).recipe() == network.recipe()


def test_the_dropout_of_a_unet_is_the_callers_word() -> None:
    network = UNetGenerator(base_channels=2, levels=6)
    state = reference_state(network, unet_names(6, "batch"))
    built = build_generator(state, unet_dropout=0.25)
    assert [m.p for m in built.modules() if isinstance(m, nn.Dropout)] == [0.25]


def test_what_no_network_of_the_reference_has_is_named() -> None:
    patch = reference_state(PatchDiscriminator(6, 2), patch_names("batch"))
    unet = reference_state(UNetGenerator(base_channels=2, levels=6), unet_names(6, "batch"))
    with pytest.raises(ValueError, match=r"no generator .* has the entries model\.0\.weight, .* and 19 more"):
        build_generator(patch)
    with pytest.raises(ValueError, match=r"no discriminator .* has the entries model\.model\.0\.weight, "):
        build_discriminator(unet)
    with pytest.raises(ValueError, match=r"no place for a\.weight, b\.weight: do"):
        build_generator({**unet, "a.weight": torch.zeros(1), "b.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"model\.model\.3\.weight is missing beside"):
        build_generator({name: tensor for name, tensor in unet.items() if name != "model.model.3.weight"})
    with pytest.raises(ValueError, match=r"model\.0\.weight is not the weight of a convolution: its shape is \(2,\)"):
        build_discriminator({**patch, "model.0.weight": torch.zeros(2)})
    without_norm = {name: tensor for name, tensor in patch.items() if re.match(r"model\.(0|2|5|8|11)\.", name)}
    with pytest.raises(ValueError, match=r"\(--norm none\) cannot be read: model\.2 has no bias and no norm"):
        build_discriminator(without_norm)


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


@pytest.mark.parametrize("blocks", [6, 9])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_resnet_names(blocks: int, dropout: float) -> None:
    network = ResNetGenerator(base_channels=2, blocks=blocks, dropout=dropout)
    state = reference_state(network, resnet_names(blocks, "batch", dropout > 0))
    load_reference_weights(network, state)
    assert torch.equal(network.stem[1].weight, state["model.1.weight"].float())
    assert torch.equal(network.head[1].bias, state[f"model.{17 + blocks}.bias"].float())


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
