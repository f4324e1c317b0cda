"""What G and D play for: the losses by which D learns to judge, and G to be judged well."""

import math
from collections.abc import Callable, Mapping
from typing import Literal, cast

import torch
from torch import Tensor, nn

from losses import GANLoss, RelativisticGANLoss, at_least_float32, gradient_penalty
from losses.adversarial import GANMode, Predictions, mean_of_scales, scores_of_scales
from pix2pix.penalties import Judge, Penalty

AdversarialMode = Literal[GANMode, "relativistic"]


class Adversary(nn.Module):
    """The adversarial losses of D and G, and the penalties of D.

    Args:
        mode: of ``losses.GANLoss``, or ``relativistic``: ``losses.RelativisticGANLoss``.
        label_smoothing: D is asked for 1 minus this on real pictures, in [0, 1).
        penalty_weight: weight of the gradient penalty in mode wgan.
        penalties: what is added to D's loss, by the names that it is logged with.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self, mode: AdversarialMode, label_smoothing: float, penalty_weight: float, penalties: Mapping[str, Penalty]
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1); got {label_smoothing}")
        self.mode = mode
        self.label_smoothing = label_smoothing
        self.penalty_weight = penalty_weight
        self.penalties = nn.ModuleDict(penalties)
        if mode == "relativistic":
            if label_smoothing:
                raise ValueError("label_smoothing has no meaning in mode relativistic, which has no labels")
            self.relativistic_loss = RelativisticGANLoss()
        else:
            self.discriminator_loss = GANLoss(mode, real_label=1.0 - label_smoothing)
            self.generator_loss = GANLoss(mode)  # never smoothed: G's target is real, not 0.9

    def of_discriminator(self, judge: Judge, real: Tensor, fake: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute D's loss, and what to log of it.

        Args:
            judge: D, of pictures N x C x H x W beside their inputs.
            real: targets.
            fake: G's output, without a graph.
            step: of the run, counted from 0.
        """
        # Separately, so that batch norm does not mix real and fake pictures.
        on_fake = judge(fake)
        on_real = judge(real)
        if self.mode == "relativistic":
            loss = self.relativistic_loss(on_real, on_fake)
            found = {"pairs": loss}
        else:
            loss_fake = self.discriminator_loss(on_fake, target_is_real=False)
            loss_real = self.discriminator_loss(on_real, target_is_real=True)
            loss = (loss_fake + loss_real) / 2
            found = {"real": loss_real, "fake": loss_fake}
        found |= {"output_real": mean_score(on_real), "output_fake": mean_score(on_fake)}
        found["accuracy_real"], found["accuracy_fake"] = self.accuracies(on_real, on_fake)
        if self.mode == "wgan":
            found["penalty"] = gradient_penalty(judge, real, fake, weight=self.penalty_weight)
            loss = loss + found["penalty"]
        for name, module in self.penalties.items():
            penalty = cast(Penalty, module)
            if step % penalty.every == 0:
                found[name] = penalty(judge, real, fake, on_real, on_fake)
                loss = loss + penalty.weight * penalty.every * found[name]
        return loss, {name: value.detach() for name, value in found.items()}

    def accuracies(self, on_real: Predictions, on_fake: Predictions) -> tuple[Tensor, Tensor]:
        """Return the shares of scores on their side of the boundary between real and fake, averaged over the scales.

        The boundary is the score that D has learned to give where real and fake are equally likely: 0 in ``vanilla``
        and ``hinge``, 0.5 in ``lsgan``, and with ``label_smoothing`` less. In ``wgan`` and ``relativistic``, whose
        scores mean nothing by themselves, it lies in the middle between the mean scores of real and fake pictures.

        Args:
            on_real: what D says of targets.
            on_fake: what D says of G's output.

        Returns:
            The share of scores of real pictures above the boundary, and of those of fake ones not above it: in [0, 1],
            without a graph.
        """
        real, fake = [], []
        pairs = zip(scores_of_scales("on_real", on_real), scores_of_scales("on_fake", on_fake), strict=True)
        for of_real, of_fake in pairs:
            boundary = self._boundary(of_real, of_fake)
            real.append((of_real > boundary).mean(dtype=torch.float32))
            fake.append((of_fake <= boundary).mean(dtype=torch.float32))
        return mean_of_scales(real), mean_of_scales(fake)

    def _boundary(self, real: Tensor, fake: Tensor) -> Tensor | float:
        if self.mode in ("wgan", "relativistic"):
            return (at_least_float32(real).mean() + at_least_float32(fake).mean()) / 2
        middle = (1.0 - self.label_smoothing) / 2  # of the labels
        return {"vanilla": math.log(middle / (1 - middle)), "lsgan": middle}.get(self.mode, 0.0)

    def of_generator(self, on_fake: Predictions, on_real: Callable[[], Predictions]) -> Tensor:
        """Compute G's loss from what D says of its output, and of the targets where the mode compares them."""
        if self.mode == "relativistic":
            loss: Tensor = self.relativistic_loss(on_real(), on_fake, for_discriminator=False)
            return loss
        return self.generator_loss(on_fake, target_is_real=True, for_discriminator=False)


def mean_score(prediction: Predictions) -> Tensor:
    """Return the mean over all scores of each scale, averaged over the scales, without a graph."""
    means = [at_least_float32(scores.detach()).mean() for scores in scores_of_scales("prediction", prediction)]
    return mean_of_scales(means)
