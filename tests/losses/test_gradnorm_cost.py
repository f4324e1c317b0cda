"""What GradNorm costs, in floating point operations, on the network that DeepLab has for several tasks."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet50
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from losses import FixedWeighting, GradNorm, Weighting

CHANNELS = {"seg": 13, "depth": 1, "normals": 3}


class Network(nn.Module):
    """A ResNet-50 whose features are an eighth of the picture's size, and a DeepLab head for each task."""

    def __init__(self) -> None:
        super().__init__()
        resnet = resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        self.trunk = nn.Sequential(*list(resnet.children())[:-2])
        self.last = resnet.layer4[-1].conv3
        self.heads = nn.ModuleDict({task: DeepLabHead(2048, channels) for task, channels in CHANNELS.items()})

    def total(self, weighting: Weighting, images: Tensor) -> Tensor:
        views = weighting.branch(self.trunk(images), self.last.weight)
        return weighting({task: self.heads[task](views[task]).square().mean() for task in CHANNELS})


def operations(network: Network, weighting: Weighting) -> int:
    """Of a training step but for the optimiser's, which is the same for all."""
    images = torch.randn(2, 3, 64, 64)
    with FlopCounterMode(display=False) as counter:
        network.total(weighting, images).backward()
        weighting.step()
    return counter.get_total_flops()


@pytest.fixture(scope="module")
def counts() -> tuple[int, int]:
    """Operations with equal weights and with GradNorm."""
    torch.manual_seed(0)
    network = Network()
    return operations(network, FixedWeighting(tuple(CHANNELS))), operations(network, GradNorm(tuple(CHANNELS)))


def test_gradnorm_costs_at_most_a_twentieth_of_a_step(counts: tuple[int, int]) -> None:
    equal, gradnorm = counts
    assert gradnorm / equal <= 1.05


def test_the_count_has_what_gradnorm_does_inside_the_backward_pass(counts: tuple[int, int]) -> None:
    """By hand: for each task the gradient of a convolution 512 -> 2048, kernel 1, at 2 x 8 x 8 places."""
    equal, gradnorm = counts
    assert gradnorm - equal == len(CHANNELS) * 2 * (2 * 8 * 8) * 512 * 2048
