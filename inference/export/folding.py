"""Batch norm with fixed statistics is a scale and a shift: the convolution before it can do both."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Convolution = nn.Conv2d | nn.ConvTranspose2d


@torch.no_grad()
def fold_batch_norm(network: nn.Module, pictures: Tensor) -> nn.Module:
    """Return a copy of a network without the batch norms that follow convolutions, which do their work.

    Which convolution a norm follows is seen by running the network; nothing else may read what comes between them.

    Args:
        network: in evaluation mode, where batch norm takes its running statistics.
        pictures: that it takes.
    """
    network = copy.deepcopy(network)
    made: dict[int, tuple[Convolution, Tensor]] = {}  # by the identity of its output, which is kept alive for that
    followed: dict[nn.BatchNorm2d, Convolution] = {}

    def after(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, Convolution)
        made[id(output)] = layer, output

    def before(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.BatchNorm2d)
        if id(inputs[0]) in made and layer.track_running_stats:
            followed[layer], _ = made[id(inputs[0])]

    layers = list(network.modules())
    hooks = [each.register_forward_hook(after) for each in layers if isinstance(each, Convolution)]
    hooks += [each.register_forward_pre_hook(before) for each in layers if isinstance(each, nn.BatchNorm2d)]
    try:
        network(pictures)
    finally:
        for hook in hooks:
            hook.remove()

    names = {layer: name for name, layer in network.named_modules()}
    for norm, convolution in followed.items():
        both = fuse_conv_bn_eval(convolution, norm, transpose=isinstance(convolution, nn.ConvTranspose2d))
        convolution.weight, convolution.bias = both.weight, both.bias
        network.set_submodule(names[norm], _without_norm(norm))
    return network


def _without_norm(norm: nn.BatchNorm2d) -> nn.Module:
    """What else a norm does: timm's has an activation inside."""
    rest = [layer for layer in norm.children() if not isinstance(layer, nn.Identity)]
    return nn.Sequential(*rest) if rest else nn.Identity()


def with_instance_norm(network: nn.Module) -> nn.Module:
    """Return a copy of a network whose batch norms take each picture's own statistics, with the same weights."""
    network = copy.deepcopy(network)
    for name, norm in list(network.named_modules()):
        if isinstance(norm, nn.BatchNorm2d):
            own = nn.InstanceNorm2d(norm.num_features, norm.eps, affine=norm.affine)
            own.load_state_dict({key: value for key, value in norm.state_dict().items() if key in own.state_dict()})
            network.set_submodule(name, own.eval())
    return network
