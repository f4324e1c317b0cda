"""What the generator minimizes: a weighted sum of named terms."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from losses import FeatureMatchingLoss, L1Loss, TotalVariationLoss, Weighting
from losses.adversarial import Predictions
from losses.convention import Loss, check_number
from losses.weighting import Likelihood
from pix2pix.generators import Generator

WeightingOfTerms = Callable[[Mapping[str, Likelihood]], Weighting]
GAN, L1 = "gan", "l1"


class Terms(nn.Module):
    r"""The terms of G's loss, :math:`\sum_i w_i \lambda_i L_i`: the GAN loss, L1, and others by their names.

    The factors :math:`\lambda_i` are chosen, and may rise from 0 over the first epochs; the weights :math:`w_i` are a
    weighting's, 1 without one.

    Args:
        lambda_l1: the factor of L1, at least 0.
        terms: losses of the package ``losses`` beside the GAN loss and L1, by names of one's own.
        factors: :math:`\lambda_i` >= 0 of ``gan`` and of the other terms; 1 for those that are not named.
        ramps: over how many epochs, at least 1, a term's factor rises linearly to its value; for those that are named.
        weighting: built with the terms and what each is like; its weights are 1 at first.

    Raises:
        ValueError: a term that cannot be used, a name that no term has, or a number outside its range.
    """

    def __init__(
        self,
        lambda_l1: float,
        terms: Mapping[str, Loss],
        factors: Mapping[str, float],
        ramps: Mapping[str, int],
        weighting: WeightingOfTerms | None,
    ) -> None:
        super().__init__()
        for name, term in terms.items():
            _check_term(name, term)
        self.losses = nn.ModuleDict({L1: L1Loss(), **terms})
        names = (GAN, *self.losses)
        for option, given in ("weights", factors), ("ramps", ramps):
            if unknown := given.keys() - names:
                raise ValueError(f"{option} must be of the terms {', '.join(names)}; got {', '.join(sorted(unknown))}")
        if L1 in factors:
            raise ValueError("weights must leave out l1, whose weight is lambda_l1")
        for factor in factors.values():
            check_number("weights", factor, at_least=0)
        for epochs in ramps.values():
            check_number("ramps", epochs, at_least=1)
        self.masked = {  # inspected once: it takes longer than a small loss
            name for name in self.losses if "mask" in inspect.signature(self.named_losses()[name].forward).parameters
        }
        self.factors = dict.fromkeys(names, 1.0) | {L1: lambda_l1} | dict(factors)
        self.ramps = dict(ramps)
        likelihoods: dict[str, Likelihood] = {GAN: "categorical"}
        likelihoods |= {name: self.named_losses()[name].likelihood for name in self.losses}
        self.weighting = None if weighting is None else weighting(likelihoods)

    def named_losses(self) -> dict[str, Any]:
        """Return L1 and the other losses of pictures or features, by their names."""
        return dict(self.losses.items())

    @property
    def matches_features(self) -> bool:
        """Whether a term compares the feature maps of the discriminator."""
        return any(map(self.needs_discriminator, self.losses))

    def needs_discriminator(self, name: str) -> bool:
        """Return whether a term compares the feature maps of the discriminator."""
        return isinstance(self.losses[name], FeatureMatchingLoss)

    def branch(self, made: Tensor, generator: Generator) -> dict[str, Tensor]:
        """Return for each term its view of G's output, at which a weighting may measure.

        Args:
            made: the output, N x C x H x W.
            generator: G, at whose last layer it measures.
        """
        if self.weighting is None:
            return dict.fromkeys(self.factors, made)
        return self.weighting.branch(made, generator.last_weight)

    def compute(
        self,
        name: str,
        made: Tensor,
        target: Tensor,
        known: Tensor | None,
        features: Callable[[], tuple[Predictions, Predictions]],
    ) -> Tensor:
        """Compute one of the losses that are not the GAN loss, before its factor and weight.

        Args:
            name: of the term.
            made: its view of G's output, N x C x H x W in [-1, 1].
            target: the truth, same shape.
            known: N x 1 x H x W, False where the truth is unknown, and ``made`` is the target; None if all is known.
            features: computes the feature maps of D for this view and for the target.
        """
        loss = self.named_losses()[name]
        value: Tensor
        if isinstance(loss, FeatureMatchingLoss):
            value = loss(*features())
        elif isinstance(loss, TotalVariationLoss):
            value = loss(made)
        elif name in self.masked:
            value = loss(made, target, mask=known)
        else:
            value = loss(made, target)
        return value

    def total(self, losses: Mapping[str, Tensor], epoch: int) -> Tensor:
        """Add up the losses, each with its factor in an epoch, counted from 0, and its weight."""
        scaled = {name: self.factor(name, epoch) * loss for name, loss in losses.items()}
        if self.weighting is None:
            return sum(scaled.values())  # type: ignore[return-value]  # never empty
        total: Tensor = self.weighting(scaled)
        return total

    def factor(self, name: str, epoch: int) -> float:
        """Return the factor of a term in an epoch, counted from 0."""
        whole = self.factors[name]
        return whole * min((epoch + 1) / self.ramps[name], 1.0) if name in self.ramps else whole


def _check_term(name: str, term: object) -> None:
    if not name.isidentifier() or name in (GAN, L1):
        raise ValueError(f"a term's name must be of letters, digits and _, not gan or l1; got {name!r}")
    if not isinstance(term, Loss):
        raise ValueError(f"term {name} must be one of the package losses; got {type(term).__name__}")
    if term.reduction == "none":
        raise ValueError(f"term {name} must have the reduction mean or sum, not none")
