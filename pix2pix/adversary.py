"""What G and D play for: the losses by which D learns to judge, and G to be judged well."""

from collections.abc import Callable, Mapping
from typing import Literal, cast

from torch import Tensor, nn

from losses import GANLoss, RelativisticGANLoss, at_least_float32, gradient_penalty
from losses.adversarial import GANMode, Predictions, scores_of_scales
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
        if self.mode == "wgan":
            found["penalty"] = gradient_penalty(judge, real, fake, weight=self.penalty_weight)
            loss = loss + found["penalty"]
        for name, module in self.penalties.items():
            penalty = cast(Penalty, module)
            if step % penalty.every == 0:
                found[name] = penalty(judge, real, fake, on_real, on_fake)
                loss = loss + penalty.weight * penalty.every * found[name]
        return loss, {name: value.detach() for name, value in found.items()}

    def of_generator(self, on_fake: Predictions, on_real: Callable[[], Predictions]) -> Tensor:
        """Compute G's loss from what D says of its output, and of the targets where the mode compares them."""
        if self.mode == "relativistic":
            loss: Tensor = self.relativistic_loss(on_real(), on_fake, for_discriminator=False)
            return loss
        return self.generator_loss(on_fake, target_is_real=True, for_discriminator=False)


def mean_score(prediction: Predictions) -> Tensor:
    """Return the mean over all scores of each scale, averaged over the scales, without a graph."""
    means = [at_least_float32(scores.detach()).mean() for scores in scores_of_scales("prediction", prediction)]
    return sum(means[1:], means[0]) / len(means)
