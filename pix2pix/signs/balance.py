"""Signs in the game of G and D: one of them wins, one term drowns the others, or steps are left out."""

import math
from collections.abc import Mapping

import lightning.pytorch as pl
from torch import Tensor

from pix2pix.step import AdversarialModel
from training.callbacks import Epoch, Sign

REAL, FAKE, G_LOSS = "D_accuracy_real", "D_accuracy_fake", "G_gan"


class StrongDiscriminator(Sign):
    """D knows nearly all pictures, real and fake, and G learns little from it.

    The values are D's accuracies (see ``Adversary.accuracies``) and G's GAN loss; the smaller accuracy is compared.

    Args:
        most: the accuracy above which it is bad; None is never.
        mode: of the GAN loss, for the advice.
    """

    name = "discriminator"
    columns = averaged = (REAL, FAKE, G_LOSS)

    def __init__(self, most: float | None, mode: str) -> None:
        super().__init__()
        self.most, self.mode = most, mode

    def in_step(self, model: pl.LightningModule, logged: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Take what the model logs of them."""
        return {name: logged[f"train/{name}"] for name in self.averaged if f"train/{name}" in logged}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Return the means."""
        return {name: epoch.means[name] for name in self.columns}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare the smaller accuracy with the limit."""
        accuracy = min(values[REAL], values[FAKE])
        if self.most is None or not accuracy > self.most:
            return None
        other = "" if self.mode == "lsgan" else ", take --model.gan_mode lsgan"
        return (
            f"D tells real from fake in {100 * accuracy:.0f} % of patches, and G's GAN loss is {values[G_LOSS]:.2f}: D "
            f"is too strong for G to learn from it; lower --model.lr_discriminator{other}, or set "
            "--model.label_smoothing 0.1"
        )


class UnequalGradients(Sign):
    r"""The GAN loss pulls at G's output far harder than the other terms, or hardly at all.

    The value is the ratio :math:`\lVert \nabla_y w L_{gan} \rVert / \lVert \nabla_y \lambda L_1 \rVert` of the
    gradients at G's output, each with its weight; where G's loss has more terms than these, those that are not the GAN
    loss count together. It is made of the mean share of the GAN loss (see ``pix2pix.gan_share``).

    Args:
        least: the ratio below which it is bad; None is never.
        most: the ratio above which it is bad; None is never.
    """

    name = "gradients"
    columns = ("gradient_ratio",)
    averaged = ("gan_share",)

    def __init__(self, least: float | None, most: float | None) -> None:
        super().__init__()
        self.least, self.most = least, most

    def before_step(self, model: pl.LightningModule) -> None:
        """Ask for the share."""
        assert isinstance(model, AdversarialModel)
        model.wants_gan_share, model.gan_share = True, None

    def in_step(self, model: pl.LightningModule, logged: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Take it, if G's step had a GAN loss."""
        assert isinstance(model, AdversarialModel)
        model.wants_gan_share = False
        return {} if model.gan_share is None else {"gan_share": model.gan_share}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Make the ratio of the share."""
        share = epoch.means["gan_share"]
        return {"gradient_ratio": math.inf if share == 1 else share / (1 - share)}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare the ratio with both limits."""
        ratio = values["gradient_ratio"]
        if self.most is not None and ratio == math.inf:
            return (
                "nothing but the GAN loss pulls at G's output, and nothing ties it to its target: any picture that "
                "D takes for real will do; raise --model.lambda_l1, which is 100 in the paper"
            )
        if self.most is not None and ratio > self.most:
            return (
                f"the GAN loss pulls {ratio:.1f} times as hard at G's output as L1 and what else there is: little "
                "ties it to its target; raise --model.lambda_l1, which is 100 in the paper"
            )
        if self.least is not None and ratio < self.least:
            return (
                f"the GAN loss pulls {ratio:.1g} times as hard at G's output as L1 and what else there is: pictures "
                "will be as blurred as without D; lower --model.lambda_l1"
            )
        return None


class SkippedSteps(Sign):
    """Steps of G or D are left out, as their gradients are not finite.

    The value is how many of an epoch's were, for each of its batches: at most 1 and D's steps in a batch.

    Args:
        most: the value above which it is bad; None is never.
        remedy: what to try.
    """

    name = "skipped"
    columns = ("skipped",)

    def __init__(self, most: float | None, remedy: str) -> None:
        super().__init__()
        self.most, self.remedy = most, remedy

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Count since the last epoch."""
        skipped = epoch.logged["train/skipped"].item() if "train/skipped" in epoch.logged else math.nan
        before, self.memory = self.memory, {"skipped": skipped, "steps": epoch.steps}
        steps = epoch.steps - before.get("steps", 0)
        return {"skipped": (skipped - before.get("skipped", 0)) / steps if steps else math.nan}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.most is None or not values["skipped"] > self.most:
            return None
        return (
            f"{values['skipped']:.2g} steps of G or D in a batch are left out, as their gradients are not finite: the "
            f"training is about to break; {self.remedy}"
        )
