"""Networks whose features tell how two sets of pictures differ, for FID and KID."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference.lite0 import Lite0Features
from losses.pretrained import read_state_dict

INCEPTION, LITE0 = "inception", "efficientnet_lite0"
WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # the file of torch-fidelity
SIDE = 128  # pixels that EfficientNet-Lite0 sees; it was trained with 224


class FeatureNetwork(Protocol):
    """What FID and KID look with."""

    suffix: str  # of the metrics' names, so that nobody takes them for those of another network
    num_features: int

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the features of pictures N x 3 x H x W in [0, 1]: N x num_features."""

    def to(self, device: torch.device) -> object:
        """Move it."""


class Inception:
    """Inception v3 of 2015, as the papers of FID and KID and ``torch-fidelity`` have it: its pool features.

    Args:
        weights: the file of them; None downloads it.

    Raises:
        ModuleNotFoundError: torch-fidelity is not installed.
        ValueError: the weights cannot be downloaded or read.
    """

    suffix = ""
    num_features = 2048

    def __init__(self, weights: Path | None) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        name, features = "inception-v3-compat", [str(self.num_features)]
        path = None if weights is None else str(weights)
        try:
            if weights is not None:
                read_state_dict(weights)  # refuses a file that holds code: torch-fidelity would run it
            self._network: nn.Module = NoTrainInceptionV3(name, features, path)
        except ModuleNotFoundError:
            raise ModuleNotFoundError("fid and kid need torch-fidelity: pip install -e '.[metrics]'") from None
        except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(
                f"metrics.features: the weights of Inception are not there ({reason}); put {WEIGHTS} of torch-fidelity "
                f"somewhere and give its path, or take {LITE0}"
            ) from None

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the features of pictures, which it sees in 8 bits and 299 x 299 pixels."""
        features: Tensor = self._network(pictures.mul(255).round().byte())
        return features

    def to(self, device: torch.device) -> object:
        """Move it."""
        return self._network.to(device)


class Lite0:
    """EfficientNet-Lite0, whose weights the extra ``pretrained`` brings: its pool features.

    Raises:
        ModuleNotFoundError: timm or the package with the weights is not installed.
    """

    suffix = "_efficientnet"
    num_features = 1280

    def __init__(self) -> None:
        self._network = Lite0Features()

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the features of pictures, which it sees in 128 x 128 pixels."""
        return self._network.pooled(F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True))

    def to(self, device: torch.device) -> object:
        """Move it."""
        return self._network.move(lambda tensor: tensor.to(device))


def feature_network(features: str) -> FeatureNetwork:
    """Build the network that an option names: ``inception``, ``efficientnet_lite0``, or the weights of an Inception.

    Raises:
        ValueError: it is neither, or the weights cannot be had.
        ModuleNotFoundError: packages are missing.
    """
    if features == LITE0:
        return Lite0()
    if features != INCEPTION and not Path(features).is_file():
        raise ValueError(
            f"metrics.features must be {INCEPTION}, {LITE0} or a file of Inception's weights; got {features}"
        )
    return Inception(None if features == INCEPTION else Path(features))
