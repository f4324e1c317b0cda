"""What stands between the encoder and the heads: fine features that all tasks share."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F


class Neck(nn.Module):
    """A feature pyramid (Lin et al. 2017) that ends in one last shared layer, at the finest stride that is asked for.

    From the coarsest level on, features are brought to ``width`` channels, interpolated to the size of the next finer
    level, and added to it. A 1 x 1 convolution with batch norm follows as the last shared layer: what all tasks start
    from, and where GradNorm compares their gradients, which takes another gradient of its weight for each task: so it
    is a light one, and heads begin with a 3 x 3 one. Of one level there is nothing to add: the last layer is all, and
    3 x 3.

    Args:
        channels: of each level of the encoder's features, the finest first.
        strides: of the same, in rising order.
        width: channels of what comes out, at least 1.
        stride: of what comes out, one of ``strides``; finer levels are not used. None for the finest.

    Raises:
        ValueError: the encoder has no features of this stride.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, stride: int | None = None) -> None:
        super().__init__()
        self.stride = strides[0] if stride is None else stride
        if self.stride not in strides:
            known = ", ".join(str(each) for each in strides)
            raise ValueError(f"stride must be one of the encoder's, {known}; got {stride}")
        self.finest = list(strides).index(self.stride)
        used = channels[self.finest :]
        self.laterals = nn.ModuleList(nn.Conv2d(inputs, width, 1) for inputs in used) if len(used) > 1 else None
        last = (
            nn.Conv2d(used[0], width, 3, padding=1, bias=False)
            if self.laterals is None
            else nn.Conv2d(width, width, 1, bias=False)
        )
        self.last = nn.Sequential(last, nn.BatchNorm2d(width), nn.ReLU())

    @property
    def weight(self) -> Tensor:
        """The weight of the last shared layer."""
        return cast(Tensor, self.last[0].weight)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute N x width x H/stride x W/stride from the features of the encoder, the finest first."""
        used = features[self.finest :]
        if self.laterals is None:
            (x,) = used
        else:
            *finer, x = (lateral(level) for lateral, level in zip(self.laterals, used, strict=True))
            for level in reversed(finer):
                x = level + F.interpolate(x, level.shape[2:], mode="bilinear", align_corners=False)
            x = F.relu(x)
        result: Tensor = self.last(x)
        return result
