"""The health of a training of pix2pix."""

from collections.abc import Sequence

import lightning.pytorch as pl

from pix2pix.module import Pix2Pix
from pix2pix.signs import (
    Checkerboard,
    ConstantOutputs,
    LittleVariety,
    NotTheirTargets,
    Saturation,
    SkippedSteps,
    StrongDiscriminator,
    UnequalGradients,
)
from training.callbacks import Gap, Health, Sign

REMEDY = (
    "lower --model.lr_generator and --model.lr_discriminator, clip gradients with --model.clip_norm 1, or "
    "take --trainer.precision 32-true"
)


class Pix2PixHealth(Health):
    """Watch for signs that a training of pix2pix goes wrong, write them to ``health.csv``, and warn.

    A sign that has been bad for ``patience`` epochs is reported once in a run, and again when training ends. null
    instead of a limit silences its sign.

    Args:
        patience: for how many epochs in a row a sign must be bad before it is reported, at least 1.
        after: epochs that end before this many steps are not judged, because nothing is learned yet; at least 0.
        every: look at the first step of an epoch and every so many after it, at least 1.
        accuracy: D is too strong if it recognizes more than this share of patches, of real and of fake ones.
        least_ratio: the GAN loss has no influence if its gradients at G's output are below this times those of L1.
        most_ratio: the GAN loss drowns L1 if they are above this times those of L1.
        gap: G has memorized the training pairs if L1 in validation is above this times that in training.
        saturated: G is saturated if more than this share of its values is black or white where targets are not.
        constant: G is dead if more than this share of its outputs has one color.
        variety: G looks little at its input if its outputs differ less than this times as much as their targets.
        own_target: pairs are mixed up if outputs are further than this times as far from their own targets as from
            another.
        checkerboard: a grid on outputs is bad above this many of 255 gray levels.
        skipped: training diverges if more than this many steps per batch are skipped, because they are not finite.
    """

    def __init__(
        self,
        patience: int = 3,
        after: int = 200,
        every: int = 20,
        accuracy: float | None = 0.98,
        least_ratio: float | None = 0.001,
        most_ratio: float | None = 10.0,
        gap: float | None = 2.5,
        saturated: float | None = 0.5,
        constant: float | None = 0.5,
        variety: float | None = 0.3,
        own_target: float | None = 0.95,
        checkerboard: float | None = 4.0,
        skipped: float | None = 0.02,
    ) -> None:
        super().__init__(patience, after, every)
        self.accuracy = accuracy
        self.least_ratio = least_ratio
        self.most_ratio = most_ratio
        self.gap = gap
        self.saturated = saturated
        self.constant = constant
        self.variety = variety
        self.own_target = own_target
        self.checkerboard = checkerboard
        self.skipped = skipped

    def signs(self, model: pl.LightningModule) -> Sequence[Sign]:
        """Return the signs of pix2pix."""
        assert isinstance(model, Pix2Pix)
        more_pairs = "add pairs or augmentation, stop earlier, or take a smaller generator; best.ckpt is from before"
        return [
            StrongDiscriminator(self.accuracy, model.adversary.mode),
            UnequalGradients(self.least_ratio, self.most_ratio),
            # In training it is of values in [-1, 1], in validation in [0, 1].
            Gap("L1", ["train/G_l1"], "val/l1", self.gap, more_pairs, scale=2.0),
            Saturation(self.saturated),
            ConstantOutputs(self.constant),
            LittleVariety(self.variety),
            NotTheirTargets(self.own_target),
            Checkerboard(self.checkerboard),
            SkippedSteps(self.skipped, REMEDY),
        ]
