"""Pretrained networks: check that weights fit, and replace strides by dilation."""

from collections.abc import Mapping
from typing import Literal, get_args

from torch import Tensor, nn

OutputStride = Literal[8, 16, 32]


def load_weights(network: nn.Module, state: Mapping[str, Tensor], name: str, weights: str) -> None:
    """Load ``state`` into ``network`` if it has the same names and shapes.

    Args:
        network: whose weights are replaced.
        state: the weights.
        name: what the network is called.
        weights: where the weights come from.

    Raises:
        ValueError: names ``weights``, ``name``, and the first weight that does not fit.
    """
    own = network.state_dict()
    wrong = [
        key for key in {**own, **state} if key not in own or key not in state or own[key].shape != state[key].shape
    ]
    if wrong:
        raise ValueError(f"weights {weights} are not those of {name}: {wrong[0]} is missing or of another shape")
    network.load_state_dict(state)


def check_output_stride(output_stride: int) -> None:
    """Require one of :data:`OutputStride`.

    Raises:
        ValueError: names the option and what it may be.
    """
    if output_stride not in get_args(OutputStride):
        raise ValueError(f"output_stride must be 8, 16 or 32; got {output_stride}")


def dilate(layers: nn.Module, rate: int) -> None:
    """Let convolutions see what they saw, without striding: each old feature is among the new, finer ones.

    Args:
        layers: whose convolutions lose their stride of 1 or 2.
        rate: how many times finer their output becomes, which is the dilation of what follows the stride.
    """
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):
            # What a strided convolution reads is half as much finer as what it gives (Chen et al. 2017).
            dilation = rate // layer.stride[0]
            layer.stride = (1, 1)
            layer.dilation = (dilation, dilation)
            layer.padding = tuple(dilation * (side // 2) for side in layer.kernel_size)
