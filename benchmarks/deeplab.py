"""DeepLab for several tasks, the network on which weightings are measured."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from losses import Weighting

CHANNELS = {"seg": 13, "depth": 1, "normals": 3}  # those of NYUv2


class DeepLab(nn.Module):
    """A ResNet-50 whose features are an eighth of the picture's size, and a DeepLab head for each task."""

    def __init__(self) -> None:
        super().__init__()
        resnet = resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        self.trunk = nn.Sequential(*list(resnet.children())[:-2])
        self.last: nn.Conv2d = resnet.layer4[-1].conv3
        self.heads = nn.ModuleDict({task: DeepLabHead(2048, channels) for task, channels in CHANNELS.items()})

    def losses(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A loss for each task, as cheap as can be."""
        return {task: self.heads[task](views[task]).square().mean() for task in CHANNELS}

    def step(self, weighting: Weighting, images: Tensor) -> None:
        """A step of training, but for the optimizer's, which is the same for all weightings."""
        weighting(self.losses(weighting.branch(self.trunk(images), self.last.weight))).backward()
        weighting.step()
        if weighting.observes:
            with torch.no_grad():
                weighting.observe(self.losses(dict.fromkeys(CHANNELS, self.trunk(images))))
