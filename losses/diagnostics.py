"""Diagnostics: is the loss finite, is it the one to expect before training, and do its gradients arrive?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from losses.binary import BCEFromProbs
from losses.convention import check_number
from losses.curriculum import CurriculumLoss
from losses.detection import GIoULoss, IoULoss
from losses.lecam import LeCamPenalty
from losses.metric_learning import ContrastiveLoss, InfoNCELoss, NTXentLoss, TripletLoss
from losses.perceptual import PerceptualLoss
from losses.regression import GaussianNLLLoss, RegressionLoss
from losses.relativistic import RelativisticGANLoss
from losses.ssim import SimilarityLoss
from losses.sum import SumLoss
from losses.triplet_mining import OnlineTripletLoss
from losses.vae import VAELoss

GradientStatus = Literal["ok", "none", "zero", "vanishing", "exploding", "non-finite"]


def check_finite(losses: Tensor | Mapping[str, Tensor], *, step: int, every: int = 1) -> None:
    """Stop training when a loss is NaN or infinite, before the optimizer spreads it to every weight.

    Negative values are not checked: they are normal for adversarial losses and learned task weights.

    Args:
        losses: a loss, or several by name, of any shape.
        step: the training step, for the message.
        every: check only every so many steps, since checking waits for the GPU (once for all losses).

    Raises:
        FloatingPointError: names the losses that are not finite and the step.
        ValueError: ``every`` is below 1.
    """
    check_number("every", every, at_least=1)
    named = {"loss": losses} if isinstance(losses, Tensor) else losses
    if step % every or not named:
        return
    finite = torch.stack([loss.detach().isfinite().all() for loss in named.values()]).tolist()
    wrong = [name for name, is_finite in zip(named, finite, strict=True) if not is_finite]
    if wrong:
        values = ", ".join(f"{name} ({named[name].detach().flatten().float().sum().item()})" for name in wrong)
        raise FloatingPointError(f"not finite at step {step}: {values}")


class ChanceLevel(NamedTuple):
    """The value of a loss before anything is learned, plus or minus ``tolerance``."""

    value: float
    tolerance: float


def chance_level(
    loss: nn.Module, *args: Any, bias: Tensor | float = 0.0, spread: float = 0.1, draws: int = 32, seed: int = 0
) -> ChanceLevel:
    r"""Compute the value of a loss that an untrained network should start with, on given targets.

    A first loss far from it reveals a mistake that training would hide: logits where probabilities belong, a wrong
    normalization, labels shifted by one. The predictions are replaced by uninformed ones:

    ======================= ============================================= ==========================================
    loss                    prediction                                    value
    ======================= ============================================= ==========================================
    logits of any kind      0: all classes alike                          cross-entropy log C; focal
                                                                          :math:`(1 - 1/C)^\gamma \log C`; binary and
                                                                          vanilla and relativistic GAN log 2
    regression, boxes       the targets' mean (and variance)              MSE: the targets' variance
    embeddings              all at one point                              triplets: the margin; InfoNCE log N; NT-Xent
                                                                          log(2N - 1)
    VAE                     logits 0, posterior = prior                   log 2 for every feature
    perceptual, SSIM        a gray picture
    ======================= ============================================= ==========================================

    Args:
        loss: a loss of this package; the loss inside a :class:`CurriculumLoss` counts.
        args: its arguments. Of the predictions only shape and dtype matter.
        bias: added to logits: the initial bias of the last layer. With the logarithm of the classes' frequencies,
            C x 1 x 1 for N x C x H x W, the cross-entropy is the entropy of the frequencies.
        spread: standard deviation >= 0 of an untrained network's predictions around these (in units of the targets'
            standard deviation, or of the range of pictures).
        draws: how many random predictions the tolerance is measured with, >= 1.
        seed: of these; the global random state is left alone.

    Returns:
        The value, and as tolerance three times the root mean square deviation from it over the random predictions: it
        falls with the root of the number of elements, down to the shift that random logits cause. (Logits of standard
        deviation 1 are not a chance level: for C = 10 they cost 2.73 instead of 2.30.)

    Raises:
        ValueError: ``spread`` or ``draws`` out of range.
    """
    check_number("spread", spread, at_least=0)
    check_number("draws", draws, at_least=1)
    generator = torch.Generator().manual_seed(seed)

    def noise(like: Tensor) -> Tensor:
        drawn = torch.randn(like.shape, generator=generator, dtype=torch.float64)
        return (spread * drawn).to(like)

    def level(of_noise: Callable[[Tensor], Tensor]) -> float:
        with torch.no_grad():
            value = loss(*_uninformed(loss, args, bias, of_noise))
        return float(value.loss if isinstance(loss, VAELoss) else value)

    value = level(torch.zeros_like)
    deviations = torch.tensor([level(noise) - value for _ in range(draws)], dtype=torch.float64)
    return ChanceLevel(value, 3 * deviations.square().mean().sqrt().item())


def _uninformed(
    loss: object, args: tuple[Any, ...], bias: Tensor | float, noise: Callable[[Tensor], Tensor]
) -> tuple[Any, ...]:
    """``args`` with uninformed predictions, plus the noise."""
    prediction, *rest = args
    match loss:
        case CurriculumLoss():
            return _uninformed(loss.loss, args, bias, noise)
        case SumLoss():
            return _uninformed(next(iter(loss.terms.values())), args, bias, noise)
        case RegressionLoss():
            target = rest[0].to(prediction)
            return (target.mean() + target.std(correction=0) * noise(target), *rest)
        case GaussianNLLLoss():
            target = rest[0].to(prediction)
            return (
                target.mean() + target.std(correction=0) * noise(target),
                target,
                target.var(correction=0) * noise(target).exp(),
            )
        case IoULoss() | GIoULoss():
            target = rest[0].to(prediction)
            mean = target.flatten(0, -2).mean(0)
            return mean + (mean[2:] - mean[:2]).mean() * noise(target), target
        case PerceptualLoss() | SimilarityLoss():
            black, white = loss.input_range
            return rest[0].mean() + (white - black) * noise(prediction), *rest
        case ContrastiveLoss() | InfoNCELoss() | NTXentLoss():
            return tuple(1 + noise(embeddings) for embeddings in args[:2]) + args[2:]
        case TripletLoss():
            return tuple(1 + noise(embeddings) for embeddings in args)
        case OnlineTripletLoss():
            return (1 + noise(prediction), *rest)
        case RelativisticGANLoss() | LeCamPenalty():
            return tuple(noise(scores) for scores in args)
        case VAELoss():
            input, target, mean, log_variance = args
            return noise(input), target, noise(mean), noise(log_variance)
        case BCEFromProbs():
            return (torch.sigmoid(bias + noise(prediction)), *rest)
        case _:
            return (bias + noise(prediction), *rest)


@dataclass(frozen=True)
class ParameterGradient:
    """The gradient of one parameter: its root mean square (None without a gradient), and its status."""

    name: str
    rms: float | None
    status: GradientStatus


@dataclass(frozen=True)
class GradientFlow:
    """The gradients of a model's trainable parameters, in the model's order; ``print`` shows them as a table."""

    parameters: list[ParameterGradient]

    @property
    def problems(self) -> list[ParameterGradient]:
        """The parameters whose status is not ``ok``."""
        return [parameter for parameter in self.parameters if parameter.status != "ok"]

    def __str__(self) -> str:
        """Return one line per parameter."""
        width = max((len(parameter.name) for parameter in self.parameters), default=0)
        return "\n".join(
            f"{each.name:<{width}}  {'-' if each.rms is None else format(each.rms, '.2e'):>8}  {each.status}"
            for each in self.parameters
        )


def gradient_flow(model: nn.Module, *, vanishing: float = 1e-8, exploding: float = 1e3) -> GradientFlow:
    """Report which parameters a backward pass has reached, and how strongly: call it between ``backward`` and ``step``.

    Statuses: ``none`` (not in the graph of the loss), ``zero``, ``non-finite``, ``vanishing``, ``exploding``, ``ok``.

    Args:
        model: after a backward pass. Parameters that do not require gradients are left out.
        vanishing: root mean square of a gradient below which it vanishes; 1e-8 is Adam's epsilon, under which its
            steps shrink.
        exploding: root mean square above which it explodes.

    Returns:
        The report. All norms are read at once, so that it waits for the GPU once, not once per parameter.
    """
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    gradients = {name: parameter.grad for name, parameter in trainable.items() if parameter.grad is not None}
    norms: dict[str, float] = {}
    if gradients:
        tensors = list(gradients.values())
        each = torch._foreach_norm(
            tensors, 2, dtype=torch.float64 if tensors[0].device.type == "cpu" else torch.float32
        )
        norms = dict(zip(gradients, torch.stack([norm.to(each[0].device) for norm in each]).tolist(), strict=True))
    rows = []
    for name, parameter in trainable.items():
        rms = norms[name] / max(parameter.numel(), 1) ** 0.5 if name in norms else None
        rows.append(ParameterGradient(name, rms, _status(rms, vanishing, exploding)))
    return GradientFlow(rows)


def _status(rms: float | None, vanishing: float, exploding: float) -> GradientStatus:
    if rms is None:
        return "none"
    if not rms < float("inf"):
        return "non-finite"
    if rms == 0:
        return "zero"
    if rms < vanishing:
        return "vanishing"
    return "exploding" if rms > exploding else "ok"
