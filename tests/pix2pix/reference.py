"""The reference implementation as facts: the names of its weights in their order, and rules that fill them.

Read off pytorch-CycleGAN-and-pix2pix by running it; ``reference_steps.json`` holds four of its training steps.
"""

import torch
from torch import Tensor

from pix2pix.layers import Norm


def unet_names(levels: int, norm: Norm) -> list[str]:
    """The names of unet_64 (6 levels), unet_128 (7) and unet_256 (8), in the state_dict's order."""

    def block(level: int) -> list[str]:
        """Relative to the block of ``level``, counted from the outermost, 0."""
        if level == 0:
            inner = [f"model.1.{name}" for name in block(1)]
            return ["model.0.weight", *bias("model.0"), *inner, "model.3.weight", "model.3.bias"]
        if level == levels - 1:
            return [
                "model.1.weight",
                *bias("model.1"),
                "model.3.weight",
                *bias("model.3"),
                *normed("model.4"),
            ]
        inner = [f"model.3.{name}" for name in block(level + 1)]
        down = ["model.1.weight", *bias("model.1"), *normed("model.2")]
        return [*down, *inner, "model.5.weight", *bias("model.5"), *normed("model.6")]

    def bias(module: str) -> list[str]:
        return [f"{module}.bias"] if norm == "instance" else []

    def normed(module: str) -> list[str]:
        return _normed(module) if norm == "batch" else []

    return [f"model.{name}" for name in block(0)]


def patch_names(norm: Norm, layers: int = 3) -> list[str]:
    """The names of the PatchGAN, of 70 x 70 by default."""
    names = ["model.0.weight", "model.0.bias"]
    for module in range(2, 2 + 3 * layers, 3):
        names.append(f"model.{module}.weight")
        names += [f"model.{module}.bias"] if norm == "instance" else _normed(f"model.{module + 1}")
    return [*names, f"model.{2 + 3 * layers}.weight", f"model.{2 + 3 * layers}.bias"]


def pixel_names(norm: Norm) -> list[str]:
    """The names of PixelGAN, whose last convolution has a bias beside instance norm alone."""
    if norm == "instance":
        return [f"net.{module}.{entry}" for module in (0, 2, 5) for entry in ("weight", "bias")]
    return ["net.0.weight", "net.0.bias", "net.2.weight", *_normed("net.3"), "net.5.weight"]


def resnet_names(blocks: int, norm: Norm, dropout: bool) -> list[str]:
    """The names of resnet_6blocks and resnet_9blocks."""
    second = 6 if dropout else 5
    after = 10 + blocks
    inner = [f"{block}.conv_block.{conv}" for block in range(10, after) for conv in (1, second)]
    names = []
    for convolution in ("1", "4", "7", *inner, f"{after}", f"{after + 3}"):
        module, _, index = f"model.{convolution}".rpartition(".")
        names.append(f"model.{convolution}.weight")
        names += [f"model.{convolution}.bias"] if norm == "instance" else _normed(f"{module}.{int(index) + 1}")
    return [*names, f"model.{after + 7}.weight", f"model.{after + 7}.bias"]


def _normed(module: str) -> list[str]:
    entries = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [f"{module}.{entry}" for entry in entries]


def filled(names: list[str], shapes: list[torch.Size]) -> dict[str, Tensor]:
    """The weights that the recorded steps began with: a rule of the entry's place and the element's index."""
    state: dict[str, Tensor] = {}
    k = 0
    for name, shape in zip(names, shapes, strict=True):
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            state[name] = torch.ones(shape) if name.endswith("var") else torch.zeros(shape)
            continue
        i = torch.arange(shape.numel(), dtype=torch.float64)
        x = torch.frac(i * 0.6180339887498949 + k * 0.7548776662466927) * 2 - 1
        vector = len(shape) == 1
        base = 1.0 if vector and name.endswith("weight") else 0.0
        state[name] = (base + (0.02 if vector else 0.05) * x).reshape(shape)
        k += 1
    return state


def pictures(batch: int, channels: int, size: int, phase: float) -> Tensor:
    """The pictures of the recorded steps: phase 0.3 for A, 1.1 for B."""
    n = torch.arange(batch, dtype=torch.float64).reshape(-1, 1, 1, 1)
    ch = torch.arange(channels, dtype=torch.float64).reshape(1, -1, 1, 1)
    y = torch.arange(size, dtype=torch.float64).reshape(1, 1, -1, 1)
    x = torch.arange(size, dtype=torch.float64).reshape(1, 1, 1, -1)
    return torch.sin(0.05 * x * (ch + 1) + 0.031 * y + phase + n) * torch.cos(
        0.043 * y + 0.017 * x * (n + 1) + phase * ch
    )
