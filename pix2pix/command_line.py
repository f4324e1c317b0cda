"""What a run of pix2pix adds to every run."""

from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser

from pix2pix.baselines import measure_baselines
from pix2pix.callbacks import Pix2PixHealth, PredictionWriter, SetMetrics
from pix2pix.callbacks.health import REMEDY
from pix2pix.data import PairedImages
from pix2pix.doctor import glance
from pix2pix.metrics import metrics_table
from pix2pix.module import Pix2Pix
from pix2pix.picture_metrics import interval_rows
from training import CommandLine
from training.callbacks import Panels, PictureTable
from training.doctor import Finding
from training.failures import say

HIGHER_IS_BETTER = ("psnr", "ssim", "ms_ssim", "score")
OWN = {  # options of the model that replace the trainer's, and the defaults of the latter
    "accumulate_grad_batches": ("model.accumulate", 1),
    "gradient_clip_val": ("model.clip_norm", None),
}


class Pix2PixCommands(CommandLine):
    """``fit``, ``validate``, ``test`` and ``predict`` of pix2pix."""

    program = "pix2pix"
    model_type = Pix2Pix
    data_type = PairedImages
    demo = "emoji"
    max_epochs = 200
    monitor = "val/l1"
    strategy = "ddp_find_unused_parameters_true"  # plain ddp cannot: in each backward a network has no gradients
    remedy = REMEDY
    health = Pix2PixHealth
    shown = ("train/G_gan", "train/G_l1", "train/D_real", "train/D_fake", "val/l1")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of further metrics."""
        super().add_arguments_to_parser(parser)
        parser.add_lightning_class_args(SetMetrics, "metrics")

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer; its options for models with one optimizer are refused by naming the model's own."""
        for name, (own, default) in OWN.items():
            if self.option("trainer")[name] != default:
                raise ValueError(f"trainer.{name} is for models with one optimizer; set {own} instead")
        return super().instantiate_trainer(**kwargs)

    def callbacks(self) -> list[Callback]:
        """Return the callbacks of every run, and what writes the translations of ``predict``."""
        return [*super().callbacks(), PredictionWriter()]

    def after_predict(self) -> None:
        """Print where the translations are."""
        say(f"predictions: {self.trainer.log_dir}/predictions")

    def panels(self) -> Panels:
        """Return the panels of ``curves.png``."""
        return {
            "generator: adversarial loss": ("train/G_gan",),
            "generator: L1": ("train/G_l1",),
            **{f"generator: {name}": (f"train/G_{name}",) for name in self.model.objective.losses if name != "l1"},
            "discriminator": ("train/D_real", "train/D_fake", "train/D_pairs"),
            "penalties": ("train/D_penalty", *(f"train/D_{name}" for name in self.model.adversary.penalties)),
            "weights": ("weight/*",),
            "discriminator's mean scores": ("train/D_output_real", "train/D_output_fake"),
            "discriminator's accuracy": ("train/D_accuracy_real", "train/D_accuracy_fake"),
            "validation L1": ("val/l1",),
            "validation PSNR (dB)": ("val/psnr",),
            "validation SSIM": ("val/ssim",),
            "learning rates": ("lr/G", "lr/D"),
        }

    def report(self) -> str:
        """Return a table of the test metrics, with their intervals, beside those of the baselines."""
        ours = {key: self.trainer.callback_metrics[f"test/{key}"].item() for key in ("l1", "psnr", "ssim")}
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        (pictures,) = (each for each in callbacks if isinstance(each, PictureTable))
        rows = {"this model": ours, **interval_rows(pictures.columns()), **measure_baselines(self.datamodule)}
        (further,) = (each for each in callbacks if isinstance(each, SetMetrics))
        values = {name: self.trainer.callback_metrics[f"test/{name}"].item() for name in further.logged}
        further_lines = [f"{name:<28}{value:.4f}" for name, value in values.items()]
        return "\n".join([metrics_table("test pairs", rows), *further_lines])

    def glance(self) -> list[Finding]:
        """Return what is wrong with some of the training pairs."""
        return glance(self.datamodule)

    def mode_of(self, metric: str) -> Literal["min", "max"]:
        """Return which values of a metric are better."""
        return "max" if metric.rpartition("/")[2] in HIGHER_IS_BETTER else "min"
