"""Weights of the reference implementation (pytorch-CycleGAN-and-pix2pix): its state_dict names, and ours."""

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from inference import Network
from pix2pix.discriminators import Discriminator, PatchDiscriminator
from pix2pix.generators import Generator, ResNetGenerator, UNetGenerator
from pix2pix.layers import Norm

RESNET_DROPOUT = 0.5  # the reference's only probability
NAMED = 3  # names in a message


def build_generator(state_dict: Mapping[str, Tensor], unet_dropout: float = 0.5) -> Generator:
    """Build the generator that the reference implementation saved, and load its weights.

    The names and shapes tell everything but a U-Net's dropout: ``unet_128``, ``unet_256`` and U-Nets of any other
    number of levels, ``resnet_6blocks``, ``resnet_9blocks`` and any other number of blocks, with or without dropout;
    batch or instance norm; the channels.

    Args:
        state_dict: the reference's names to tensors.
        unet_dropout: a U-Net's probability of dropout, which leaves no trace in its weights.

    Raises:
        ValueError: the weights are those of another network; the message says which names are strange.
    """
    weights = _without_prefixes(state_dict)
    network: Generator
    if "model.model.0.weight" in weights:
        base_channels, in_channels = _shape(weights, "model.model.0.weight")
        levels = 1 + sum(
            bool(re.fullmatch(r"model\.model\.1(\.model\.3)*\.model\.1\.weight", name)) for name in weights
        )
        _, out_channels = _shape(weights, "model.model.3.weight")  # transposed: its input channels come first
        network = UNetGenerator(in_channels, out_channels, base_channels, levels, _norm(weights), unet_dropout)
    elif any(".conv_block." in name for name in weights):
        base_channels, in_channels = _shape(weights, "model.1.weight")
        blocks = len({name.partition(".conv_block.")[0] for name in weights if ".conv_block." in name})
        out_channels, _ = _shape(weights, f"model.{17 + blocks}.weight")
        second = weights.get("model.10.conv_block.6.weight")  # without dropout the second convolution is number 5
        dropout = RESNET_DROPOUT if second is not None and second.dim() == 4 else 0.0
        network = ResNetGenerator(in_channels, out_channels, base_channels, blocks, _norm(weights), dropout)
    else:
        raise ValueError(
            f"no generator of the reference (unet_*, resnet_*blocks) has the entries {_some(weights)}; take others"
        )
    load_reference_weights(network, weights)
    return network


def build_discriminator(state_dict: Mapping[str, Tensor]) -> Discriminator:
    """Build the discriminator that the reference implementation saved, and load its weights.

    The names and shapes tell everything: ``basic``, ``n_layers`` or ``pixel``, the norm, the channels.

    Args:
        state_dict: the reference's names to tensors.

    Raises:
        ValueError: the weights are those of another network; the message says which names are strange.
    """
    weights = _without_prefixes(state_dict)
    convolutions = [name for name, tensor in weights.items() if name.endswith(".weight") and tensor.dim() == 4]
    if not {"model.0.weight", "net.0.weight"} & weights.keys():
        raise ValueError(
            f"no discriminator of the reference (basic, n_layers, pixel) has the entries {_some(weights)}; take others"
        )
    pixel = "net.0.weight" in weights
    base_channels, in_channels = _shape(weights, "net.0.weight" if pixel else "model.0.weight")
    layers = 0 if pixel else len(convolutions) - 2
    network = PatchDiscriminator(in_channels, base_channels, layers, _norm(weights))
    load_reference_weights(network, weights)
    return network


def load_reference_weights(network: Network, state_dict: Mapping[str, Tensor]) -> None:
    """Load weights that the reference implementation saved (``latest_net_G.pth``, ``latest_net_D.pth``) in place.

    Prefixes that wrappers leave (``module.``, ``_orig_mod.``) are taken off. Running statistics that old
    checkpoints carry for an instance norm, which uses none, are dropped.

    Args:
        network: a UNetGenerator or ResNetGenerator with ``upsampling="transposed"``, or a PatchDiscriminator
            without spectral norm, made with the options that the reference's network had.
        state_dict: the reference's names to tensors.

    Raises:
        TypeError: a network that the reference does not have.
        ValueError: entries are missing or left over, or shapes differ: the options differ from the reference's.
    """
    to_theirs = _their_modules(network)
    theirs = _without_prefixes(state_dict)
    if "net.0.weight" in theirs:  # with batch norm the reference gives PixelGAN's last convolution no bias
        theirs.setdefault("net.5.bias", torch.zeros(1))

    loaded: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        module, _, entry = name.rpartition(".")
        source = f"{to_theirs.get(module, module)}.{entry}"
        if source not in theirs:
            raise ValueError(f"the reference's weights lack {source}, which {name} needs: do the options agree?")
        loaded[name] = theirs.pop(source)
        if loaded[name].shape != tensor.shape:
            shapes = f"{tuple(loaded[name].shape)} there, {tuple(tensor.shape)} here"
            raise ValueError(f"the reference's {source} has another shape than {name}: {shapes}")
    left_over = [name for name in theirs if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    if left_over:
        raise ValueError(f"the reference's weights have no place for {_some(left_over)}: do the options agree?")
    network.load_state_dict(loaded)


def _without_prefixes(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {re.sub(r"^(module\.|_orig_mod\.)+", "", name): tensor for name, tensor in state_dict.items()}


def _shape(weights: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    """Return the first two sizes of a convolution's weight: the channels of its output and its input."""
    if name not in weights:
        raise ValueError(f"{name} is missing beside {_some(weights)}")
    if weights[name].dim() != 4:
        raise ValueError(f"{name} is not the weight of a convolution: its shape is {tuple(weights[name].shape)}")
    first, second, *_ = weights[name].shape
    return first, second


def _norm(weights: Mapping[str, Tensor]) -> Norm:
    """Tell the norm: batch norm has weights of its own, and instance norm leaves each convolution its bias."""
    modules = {name.removesuffix(".weight"): tensor for name, tensor in weights.items() if name.endswith(".weight")}
    if any(tensor.dim() == 1 for tensor in modules.values()):
        return "batch"
    if without := [module for module in modules if f"{module}.bias" not in weights]:
        raise ValueError(f"networks without a norm (--norm none) cannot be read: {without[0]} has no bias and no norm")
    return "instance"


def _some(names: Collection[str]) -> str:
    """Name the first few, for messages."""
    more = len(names) - NAMED
    return ", ".join(list(names)[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _their_modules(network: Network) -> dict[str, str]:
    """Map the names of our modules that hold weights to the reference's."""
    if isinstance(network, UNetGenerator):
        return _unet(len(network.encoder))
    if isinstance(network, ResNetGenerator):
        return _resnet(len(network.blocks))
    if isinstance(network, PatchDiscriminator):
        theirs = "net" if network.recipe()["init_args"]["layers"] == 0 else "model"
        return {f"layers.{index}": f"{theirs}.{index}" for index in range(len(network.layers))}
    raise TypeError(f"the reference has no {type(network).__name__}")


def _unet(levels: int) -> dict[str, str]:
    names = {"encoder.0.0": "model.model.0", f"decoder.{levels - 1}.1": "model.model.3"}
    block = "model.model.1"  # each level is a block that holds the next one between its way down and its way up
    for level in range(1, levels):
        innermost = level == levels - 1
        up = 3 if innermost else 5
        decoder = f"decoder.{levels - 1 - level}"
        names |= {f"encoder.{level}.1": f"{block}.model.1", f"encoder.{level}.2": f"{block}.model.2"}
        names |= {f"{decoder}.1": f"{block}.model.{up}", f"{decoder}.2": f"{block}.model.{up + 1}"}
        block += ".model.3"
    return names


def _resnet(blocks: int) -> dict[str, str]:
    names = {"stem.1": "model.1", "stem.2": "model.2"}
    names |= {f"down.{index}": f"model.{4 + index}" for index in (0, 1, 3, 4)}
    for block in range(blocks):
        for index in (1, 2, 5, 6, 7):  # 5 and 6 are the second convolution and norm, 6 and 7 with dropout
            names[f"blocks.{block}.residual.{index}"] = f"model.{10 + block}.conv_block.{index}"
    names |= {f"up.{index}": f"model.{10 + blocks + index}" for index in (0, 1, 3, 4)}
    names["head.1"] = f"model.{10 + blocks + 7}"
    return names
