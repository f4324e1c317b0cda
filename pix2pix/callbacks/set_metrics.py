"""Metrics that compare sets of pictures, or look with a network: FID, KID, LPIPS, MS-SSIM and a score of one's own."""

import pkgutil
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, get_args
from urllib.error import URLError

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ms_ssim
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from inference.pictures import as_rgb
from pix2pix.feature_networks import INCEPTION, FeatureNetwork, feature_network
from pix2pix.metrics import float32_convolutions, unit_range

Name = Literal["ms_ssim", "lpips", "fid", "kid"]
Score = Callable[[Tensor, Tensor], Tensor]
SUBSETS, SUBSET = 100, 100  # of KID, and pictures in each at most
ENOUGH = 2048  # pictures for FID, whose covariance has as many dimensions
SHORTEST = 161  # side for the five scales of MS-SSIM


class SetMetrics(pl.Callback):
    r"""More metrics in validation and test, each after val/ or test/, over the pictures of all processes.

    ``ms_ssim``: structural similarity at five scales (Wang et al. 2003), at most 1, for sides of 161 pixels and more.
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
        score: ``module:function``, called with outputs and targets, N x 3 x H x W in [0, 1], such as a segmentation
            network of yours that compares what it sees in both. It returns N numbers or one, which are averaged.

    Raises:
        ValueError: an unknown name, or no such function.
    """

    def __init__(self, names: list[Name] | None = None, features: str = INCEPTION, score: str | None = None) -> None:
        self.names = names or []
        for name in self.names:
            if name not in get_args(Name):
                raise ValueError(f"metrics.names must be of {', '.join(get_args(Name))}; got {name}")
        self.features = features
        self.score = None if score is None else score_function(score)
        self._metrics: dict[str, Metric] = {}

    @cached_property
    def network(self) -> FeatureNetwork:
        """What FID and KID look with."""
        return feature_network(self.features)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Build the metrics, so that what is missing is told before anything starts."""
        if self._metrics or stage == "predict":
            return
        if self.score is not None:
            self._metrics["score"] = MeanMetric()
        for name in self.names:
            if name in ("fid", "kid"):
                self._metrics[name + self.network.suffix] = _of_features(name, self.network.num_features)
            else:
                self._metrics[name] = lpips() if name == "lpips" else MeanMetric()

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
                        looked = [self.network(each) for each in pictures]
                    metric.update(looked[0], real=False)
                    metric.update(looked[1], real=True)
                elif name == "lpips":
                    metric.update(*pictures)
                elif name == "ms_ssim":
                    metric.update(_ms_ssim(*pictures))
                else:
                    assert self.score is not None, "it is the score"
                    metric.update(self.score(*pictures))

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for name, metric in self._metrics.items():
            value = self._kid(metric) if isinstance(metric, KernelInceptionDistance) else metric.compute()
            if isinstance(metric, FrechetInceptionDistance) and not trainer.sanity_checking:
                _warn_of_few(name, metric)
            metric.reset()
            values = {name: value} if isinstance(value, Tensor) else dict(zip((name, f"{name}_deviation"), value))
            # Equal in all processes already, but Lightning cannot know that.
            pl_module.log_dict({f"{stage}/{key}": each for key, each in values.items()}, sync_dist=True)

    def _kid(self, metric: KernelInceptionDistance) -> Any:
        """Compute KID over subsets that are the same each time; the random numbers of the training stay as they are."""
        with torch.random.fork_rng([]), metric.sync_context():
            count = sum(len(each) for each in metric.fake_features)
            metric.subset_size = min(SUBSET, count)
            torch.manual_seed(0)
            return metric.compute()
