"""What pads and tiles must know of a network: which sizes it takes, how far it looks, and what it needs."""

import copy
import weakref
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from inference.convolutions import DownConv2d, UpConv2d
from inference.picture_statistics import Norm, ReplacedNorms

LONGEST = 2**13  # a network that looks further is taken to look everywhere
TRIED = 8  # multiples of the stride that are tried for the least size


class Geometry(NamedTuple):
    """How a network that keeps the size of its pictures lies on them. It holds for the mode it was taken in.

    Attributes:
        stride: what the sides of its pictures are multiples of.
        least: the shortest side that it takes, a multiple of the stride.
        margin: how many pixels beyond a stride x stride block of its output it looks to compute the block, statistics
            of the picture aside: a multiple of the stride, or None where it looks at all of the picture.
        norms: how often it normalizes by statistics of the picture.
        memory: the most bytes of its layers' outputs that exist at a time, for each pixel of its input.
    """

    stride: int
    least: int
    margin: int | None
    norms: int
    memory: int


@torch.no_grad()
def geometry_of(network: nn.Module, channels: int, stride: int) -> Geometry:
    """Find the geometry of a network, whatever its weights. The network is not changed; it is run as a small copy.

    Args:
        network: N x channels x H x W -> N x C' x H x W for H and W that are multiples of the stride. A translation of
            its input by a multiple of the stride must translate its output, but for the borders.
        channels: channels of its input.
        stride: what the sides of its pictures are multiples of.

    Raises:
        ValueError: its output does not have the size of its input.
        RuntimeError: or what else the network raises, if it takes no square of up to 8 strides.
    """
    skeleton = _skeleton(network)
    least = _least(skeleton, channels, stride)

    norms = alive = most = 0

    def count(norm: Norm) -> Tensor:
        nonlocal norms
        norms += 1
        return norm.input.clone()

    def hold(layer: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        nonlocal alive, most
        if isinstance(output, Tensor) and not any(output is each for each in inputs):
            alive += output.numel()
            most = max(most, alive)
            weakref.finalize(output, release, output.numel())

    def release(values: int) -> None:
        nonlocal alive
        alive -= values

    hooks = [layer.register_forward_hook(hold) for layer in skeleton.modules() if not any(layer.children())]
    with ReplacedNorms(count):
        output = skeleton(_zeros(channels, least, least))
    for hook in hooks:
        hook.remove()
    if output.shape[2:] != (least, least):
        raise ValueError(
            f"{type(network).__name__} turns {least} x {least} pixels into {' x '.join(map(str, output.shape[2:]))}: "
            "only a network that keeps the size can be used on padded pictures and in tiles"
        )
    size = max((weight.element_size() for weight in network.parameters()), default=4)
    return Geometry(stride, least, _margin(skeleton, channels, stride, least), norms, -(-most * size // least**2))


@torch.no_grad()
def least_side(network: nn.Module, channels: int, stride: int) -> int:
    """Return the shortest side that a network takes; see :func:`geometry_of`, which takes longer."""
    return _least(_skeleton(network), channels, stride)


def _zeros(channels: int, height: int, width: int) -> Tensor:
    return torch.zeros(1, channels, height, width, dtype=torch.float64, device="cpu")


def _skeleton(network: nn.Module) -> nn.Module:
    """Copy a network so that it depends on the same pixels, at little cost: each convolution has one channel, all 0.

    In float64 on the CPU, for which torch has no convolutions by Winograd or FFT: those spread a NaN beyond the kernel.
    """
    small: dict[int, object] = {}  # what deepcopy takes for the weights, instead of copies
    for layer in _convolutions(network):
        small[id(layer.weight)] = nn.Parameter(torch.zeros(1, 1, *layer.kernel_size), requires_grad=False)
        small[id(layer.bias)] = None
    skeleton = copy.deepcopy(network, small).to("cpu", torch.float64)
    for layer in _convolutions(skeleton):
        layer.groups = 1
        layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].sum(1, keepdim=True), *inputs[1:]))
        # Not expanded: what follows may write into its input.
        layer.register_forward_hook(lambda layer, _, output: output.repeat(1, layer.out_channels, 1, 1))
    for module in skeleton.modules():
        if isinstance(module, _DropoutNd):
            module.eval()  # it would draw random numbers, and change those that are drawn after it
    return skeleton


def _convolutions(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    """Return the convolutions that are torch's or ours, with weights that nothing computes before they are used."""
    return [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        and type(layer) in (nn.Conv2d, nn.ConvTranspose2d, DownConv2d, UpConv2d)  # no others, nor parametrized
        and not layer._forward_pre_hooks  # an old spectral or weight norm
    ]


def _least(skeleton: nn.Module, channels: int, stride: int) -> int:
    for side in range(stride, TRIED * stride, stride):
        try:
            skeleton(_zeros(channels, side, side))
        except (RuntimeError, ValueError):  # a reflection is wider than the picture, a norm is left with one value
            continue
        return side
    skeleton(_zeros(channels, TRIED * stride, TRIED * stride))
    return TRIED * stride


def _margin(skeleton: nn.Module, channels: int, stride: int, least: int) -> int | None:
    """Put NaN into one block of a picture of zeros, and see which blocks of the output it reaches: 0 * NaN is NaN.

    The picture is a strip, first lying and then upright: as narrow as the network takes, and as long as is needed.
    """
    margins = []
    for upright in (False, True):
        around = 3  # blocks on either side
        while True:
            strip = _zeros(channels, least, (2 * around + 1) * stride)
            strip[..., around * stride : (around + 1) * stride] = torch.nan
            with ReplacedNorms(lambda norm: norm.input.clone()):
                output = skeleton(strip.mT).mT if upright else skeleton(strip)
            reached = output.isnan().flatten(0, 2).any(0).unflatten(0, (-1, stride)).any(1).nonzero().flatten()
            margin = int((reached - around).abs().max()) if len(reached) else 0
            if margin < around:  # it ends inside the strip
                margins.append(margin * stride)
                break
            if strip.shape[-1] > LONGEST:
                return None
            around *= 2
    return max(margins)
