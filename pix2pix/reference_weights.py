"""Weights of the reference implementation (pytorch-CycleGAN-and-pix2pix): its state_dict names, and ours."""

import re
from collections.abc import Mapping

from torch import Tensor

from inference import Network
from pix2pix.discriminators import PatchDiscriminator
from pix2pix.generators import ResNetGenerator, UNetGenerator


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
    theirs = {re.sub(r"^(module\.|_orig_mod\.)+", "", name): tensor for name, tensor in state_dict.items()}

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
        raise ValueError(f"the reference's weights have no place for {left_over[0]}: do the options agree?")
    network.load_state_dict(loaded)


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
