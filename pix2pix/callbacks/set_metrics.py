"""Metrics that compare sets of pictures, or look with a network: FID, KID, LPIPS, MS-SSIM and a score of one's own."""

import pkgutil
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ms_ssim
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from inference.pictures import as_rgb
from pix2pix.feature_networks import INCEPTION, FeatureNetwork, feature_network
from pix2pix.lpips import build_lpips
from pix2pix.metrics import float32_convolutions, unit_range

Name = Literal["ms_ssim", "lpips", "fid", "kid"]
Score = Callable[[Tensor, Tensor], Tensor]
SUBSETS, SUBSET = 100, 100  # of KID, and pictures in each at most
ENOUGH = 2048  # pictures for FID, whose covariance has as many dimensions
SHORTEST = 176  # side for the five scales of MS-SSIM


class SetMetrics(pl.Callback):
    r"""More metrics in validation and test, each after val/ or test/, over the pictures of all processes.

    ``ms_ssim``: structural similarity at five scales (Wang et al. 2003), at most 1, for sides of 176 pixels and more.
    ``lpips``: distance in the layers of AlexNet (Zhang et al. 2018), at least 0.
    ``fid``: Frechet distance of features of outputs and targets (Heusel et al. 2017), at least 0. It is biased by the
    number of pictures: compare with the same number alone, and of 2,048 and more.
    ``kid``: squared kernel distance of the same (Binkowski et al. 2018), unbiased, the mean over 100 subsets of up to
    100 pictures; ``kid_deviation`` is the standard deviation over them.
    With EfficientNet-Lite0 they are ``fid_efficientnet`` and ``kid_efficientnet``, and no one else's numbers.
    ``score``: what a function of your own returns.

    All are computed in float32, of RGB in [0, 1].

    Args:
        names: of ms_ssim, lpips, fid and kid; none by default.
        features: what fid and kid look with: ``inception`` downloads its weights, a file has them, and
            ``efficientnet_lite0`` comes with the extra ``pretrained``.
        alexnet: file of the weights that lpips looks with, torchvision's ``alexnet-owt-7be5be79.pth``; null downloads
            it.
        score: ``module:function``, called with outputs and targets, N x 3 x H x W in [0, 1], such as a segmentation
            network of yours that compares what it sees in both. It returns N numbers or one, which are averaged;
            higher ones are better.

    Raises:
        ValueError: an unknown name, or no such function.
    """

    def __init__(
        self,
        names: list[Name] | None = None,
        features: str = INCEPTION,
        alexnet: str | None = None,
        score: str | None = None,
    ) -> None:
        self.names = names or []
        for name in self.names:
            if name not in get_args(Name):
                raise ValueError(f"metrics.names must be of {', '.join(get_args(Name))}; got {name}")
        self.features = features
        self.alexnet = None if alexnet is None else Path(alexnet)
        self.score = None if score is None else score_function(score)
        self._metrics: dict[str, Metric] = {}

    @cached_property
    def network(self) -> FeatureNetwork:
        """What FID and KID look with."""
        return feature_network(self.features)

    @property
    def logged(self) -> list[str]:
        """The names of what is logged, after val/ or test/."""
        names = []
        for name, metric in self._metrics.items():
            names += [name, f"{name}_deviation"] if isinstance(metric, KernelInceptionDistance) else [name]
        return names

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Build the metrics, so that what is missing is told before anything starts."""
        if self._metrics or stage == "predict":
            return
        if self.score is not None:
            self._metrics["score"] = MeanMetric()
        for name in self.names:
            if name in ("fid", "kid"):
                self._metrics[name + self.network.suffix] = build_of_features(name, self.network.num_features)
            else:
                self._metrics[name] = build_lpips(self.alexnet) if name == "lpips" else MeanMetric()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take a batch into account."""
        self._update(outputs, batch["target"])

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take a batch into account."""
        self._update(outputs, batch["target"])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the metrics."""
        self._log(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the metrics."""
        self._log(trainer, pl_module, "test")

    @torch.no_grad()
    def _update(self, output: Tensor, target: Tensor) -> None:
        if not self._metrics:
            return
        with torch.autocast(output.device.type, enabled=False), float32_convolutions():
            pictures = [in_color(each) for each in (output, target)]
            looked: list[Tensor] = []
            for name, metric in self._metrics.items():
                metric.to(output.device)
                if isinstance(metric, FrechetInceptionDistance | KernelInceptionDistance):
                    if not looked:
                        self.network.to(output.device)
                        looked = [self.network(each).double() for each in pictures]  # KID is a difference of large sums
                    metric.update(looked[0], real=False)
                    metric.update(looked[1], real=True)
                elif name == "lpips":
                    metric.update(*pictures)
                elif name == "ms_ssim":
                    metric.update(scales_similarity(*pictures))
                else:
                    assert self.score is not None, "it is the score"
                    metric.update(self.score(*pictures))

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        values: list[Tensor] = []
        for name, metric in self._metrics.items():
            value = metric.compute()
            if isinstance(metric, FrechetInceptionDistance) and not trainer.sanity_checking:
                _warn_of_few(name, metric)
            metric.reset()
            values += [value] if isinstance(value, Tensor) else value
        # Equal in all processes already, but Lightning cannot know that.
        pl_module.log_dict(
            {f"{stage}/{key}": value for key, value in zip(self.logged, values, strict=True)}, sync_dist=True
        )


class SteadyKID(KernelInceptionDistance):
    """KID over subsets that are the same each time, and leave the random numbers of the training as they are."""

    def compute(self) -> tuple[Tensor, Tensor]:
        """Compute the mean and the standard deviation over the subsets, of the pictures of all processes."""
        self.subset_size = min(SUBSET, sum(len(each) for each in self.fake_features))
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            return super().compute()


def in_color(pictures: Tensor) -> Tensor:
    """Map pictures N x C x H x W in [-1, 1] to RGB in [0, 1], as they are shown."""
    return torch.stack([as_rgb(each) for each in unit_range(pictures.float())])


def score_function(path: str) -> Score:
    """Return the function that ``module:function`` names.

    Raises:
        ValueError: there is no such function.
    """
    try:
        function = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"metrics.score must be module:function; {path} cannot be imported ({error})") from None
    if not callable(function):
        raise ValueError(f"metrics.score must be module:function; {path} is {type(function).__name__}")
    score: Score = function
    return score


def build_of_features(name: str, num_features: int) -> Metric:
    """Build FID or KID of features that were computed before."""
    given = nn.Identity()
    given.num_features = num_features  # type: ignore[assignment]  # where torchmetrics looks for it
    if name == "fid":
        return FrechetInceptionDistance(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the memory that it takes
        return SteadyKID(given, subsets=SUBSETS)


def scales_similarity(output: Tensor, target: Tensor) -> Tensor:
    """Return MS-SSIM of each pair of pictures.

    Raises:
        ValueError: they are too small for five scales.
    """
    if min(output.shape[2:]) < SHORTEST:
        raise ValueError(
            f"metrics.names: ms_ssim needs pictures of at least {SHORTEST} x {SHORTEST} pixels for its five scales; "
            f"got {output.shape[2]} x {output.shape[3]}"
        )
    return ms_ssim(output, target, data_range=1.0, reduction="none")


def _warn_of_few(name: str, metric: FrechetInceptionDistance) -> None:
    with metric.sync_context():
        count = int(metric.fake_features_num_samples)
    if count < ENOUGH:
        rank_zero_warn(
            f"{name} of {count} pictures is larger than that of more, and noisy: compare it with that of as many "
            f"pictures alone, or take kid; {ENOUGH} are enough"
        )
