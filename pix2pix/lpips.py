"""LPIPS, with AlexNet's weights from a file or the usual download."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torchmetrics import Metric
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from losses.pretrained import read_state_dict

ALEXNET = "alexnet-owt-7be5be79.pth"  # torchvision's file


def build_lpips(weights: Path | None) -> Metric:
    """Build LPIPS.

    Args:
        weights: the file of AlexNet's; None downloads it.

    Raises:
        ValueError: the weights cannot be downloaded, or are not those of an AlexNet.
        OSError: there is no such file.
    """
    with warnings.catch_warnings(), nullcontext() if weights is None else downloaded_already(weights):
        warnings.simplefilter("ignore")  # torchvision's, of how torchmetrics asks for the weights
        try:
            return LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
        except OSError as error:
            raise ValueError(
                f"metrics.names: lpips needs the weights of AlexNet, which cannot be downloaded ({error}); give the "
                f"path of torchvision's {ALEXNET} as metrics.alexnet"
            ) from None
        except RuntimeError as error:
            raise ValueError(f"metrics.alexnet: {weights}: {str(error).splitlines()[0]}") from None


@contextmanager
def downloaded_already(weights: Path) -> Iterator[None]:
    """Let torchvision find a file of AlexNet's weights where it keeps its downloads: torchmetrics takes no other.

    Raises:
        ValueError: it holds something else than tensors. Torchvision would run the code in it.
        OSError: there is no such file.
    """
    read_state_dict(weights)
    downloads = torch.hub.get_dir()
    with TemporaryDirectory() as folder:
        Path(folder, "checkpoints").mkdir()
        Path(folder, "checkpoints", ALEXNET).symlink_to(weights.resolve())
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub.set_dir(downloads)
