"""Penalties on the slope of a discriminator, which keep adversarial training from diverging."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from losses.adversarial import Predictions, scores_of_scales
from losses.convention import at_least_float32, check_choice, check_number

PenaltyKind = Literal["wgan-gp", "r1", "r2"]
ScoreReduction = Literal["mean", "sum"]


def gradient_penalty(
    discriminator: Callable[[Tensor], Predictions],
    real: Tensor,
    fake: Tensor | None = None,
    *,
    kind: PenaltyKind = "wgan-gp",
    scores: ScoreReduction = "mean",
    center: float = 1.0,
    weight: float = 10.0,
) -> Tensor:
    r"""Penalty on the discriminator's gradient with respect to its input, to add to the discriminator's loss.

    ``wgan-gp`` (Gulrajani et al. 2017): :math:`w \cdot \mathrm{mean}_n (\lVert\nabla D(\hat x_n)\rVert_2 - c)^2` at
    :math:`\hat x_n = \alpha_n x_n + (1 - \alpha_n) g_n`, one :math:`\alpha_n \sim U(0, 1)` and one norm over all other
    dimensions per sample.

    ``r1`` (Mescheder et al. 2018): :math:`\frac{w}{2} \mathrm{mean}_n \lVert\nabla D(x_n)\rVert_2^2`
    at the real samples, and ``r2`` the same at the generated ones, :math:`g_n`. Together they go with
    :class:`RelativisticGANLoss` (Huang et al. 2024).

    With a gradient scaler, as for float16, add it to the loss before that is scaled. There is nothing to unscale
    inside: its gradient is of the scores, and not of a scaled loss.

    Args:
        discriminator: maps samples to scores, N x anything; or to those of several scales, with or without feature
            maps, as :class:`GANLoss` takes them: each scale is a discriminator of its own, and the penalty the mean of
            theirs. For a conditional one pass a function of the sample alone, such as ``lambda image:
            discriminator(torch.cat([condition, image], 1))``. Batch normalization in training mode couples the samples,
            so that "the gradient of a sample" is not defined: it draws a warning. Its running statistics stay as they
            are.
        real: real samples, N x ..., floating point; ``r2`` does not look at them.
        fake: generated samples, same shape; may be left out for ``r1``.
        kind: which penalty.
        scores: what :math:`D(x_n)` is where a discriminator returns K scores for a sample: their ``"mean"``, as in the
            losses of :class:`GANLoss`; or their ``"sum"``, as in the reference implementations of pix2pix and StyleGAN.
            With the sum the norm is K times as large (K is 900 for a 70 x 70 PatchGAN and pictures of 256 x 256), and
            ``r1`` and ``r2`` K squared times. The papers' discriminators have one score, for which the two are the
            same.
        center: the norm that ``wgan-gp`` asks for; 1 is the paper's, 0 is the zero-centered variant.
        weight: factor of the penalty, >= 0. Both papers take 10, for one score per sample. With ``r1`` or ``r2``
            and a map of scores 10 does next to nothing on their mean.

    Returns:
        A scalar >= 0 in at least float32 whose gradient reaches the discriminator's parameters (it is built with
        ``create_graph=True``), never ``real`` or ``fake``; without a graph under ``torch.no_grad``. A zero gradient
        gives a finite penalty with a finite gradient. No samples give 0. Computed outside autocast, in the dtype of the
        discriminator's parameters.

    Raises:
        ValueError: an unknown option, ``fake`` missing where it is used, or shapes that differ.

    Example:
        >>> critic = torch.nn.Linear(2, 1, bias=False)
        >>> torch.nn.init.constant_(critic.weight, 3.0)
        Parameter containing:
        tensor([[3., 3.]], requires_grad=True)
        >>> gradient_penalty(critic, torch.ones(4, 2), kind="r1", weight=1.0)  # half of 3 * 3 + 3 * 3
        tensor(9., grad_fn=<MulBackward0>)
    """
    check_choice("kind", kind, PenaltyKind)
    check_choice("scores", scores, ScoreReduction)
    check_number("weight", weight, at_least=0)
    input_dtype, to_train = _input_dtype(discriminator, real), torch.is_grad_enabled()
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(real.device.type, enabled=False),
        _running_statistics_kept() as batch_norms,
    ):
        samples = at_least_float32(real.detach().clone())  # the copy of an inference tensor can take a gradient
        if kind != "r1":
            if fake is None or fake.shape != real.shape:
                got = "none" if fake is None else f"{tuple(fake.shape)}"
                raise ValueError(f"fake must have the shape of real, {tuple(real.shape)}; got {got}")
            generated = fake.detach().to(samples.dtype)
            if kind == "r2":
                samples = generated.clone()
            else:
                alpha = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=samples.dtype, device=real.device)
                samples = alpha * samples + (1 - alpha) * generated
        if len(samples) == 0:
            return samples.sum()
        samples = samples.to(input_dtype)

        def total_scores(samples: Tensor) -> Tensor:
            scales = scores_of_scales("the output of discriminator", discriminator(samples))
            of_samples = [at_least_float32(scale).reshape(len(samples), -1) for scale in scales]
            return torch.stack([(each.mean(1) if scores == "mean" else each.sum(1)).sum() for each in of_samples])

        gradients = at_least_float32(_gradients(total_scores, samples)).flatten(2)
        if kind == "wgan-gp":
            # vector_norm, not the square root of a sum: its gradient at 0 is 0, the other's is NaN.
            penalty = weight * (torch.linalg.vector_norm(gradients, dim=2) - center).square().mean()
        else:
            penalty = weight / 2 * gradients.square().sum(2).mean()
    if batch_norms:
        warnings.warn(
            "gradient_penalty: the discriminator has batch normalization, which couples the samples of a batch; "
            "use instance normalization or none",
            stacklevel=2,
        )
    return penalty if to_train else penalty.detach()


def _input_dtype(discriminator: Callable[[Tensor], Predictions], real: Tensor) -> torch.dtype:
    """The dtype of a discriminator's input: that of its parameters; for a function, whose are unknown, of ``real``."""
    parameter = next(discriminator.parameters(), None) if isinstance(discriminator, nn.Module) else None
    if parameter is not None:
        return parameter.dtype
    # Under autocast samples of half precision meet parameters in float32.
    under_autocast = torch.is_autocast_enabled(real.device.type)
    return at_least_float32(real).dtype if under_autocast else real.dtype


def _gradients(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of each of the values that ``function`` returns, stacked."""
    try:
        at.requires_grad_()
    except RuntimeError:  # inside a transform of torch.func, which allows its own gradients only
        values, gradient_of = torch.func.vjp(function, at)  # type: ignore[misc]  # two, without has_aux
        return torch.stack([gradient_of(one)[0] for one in torch.eye(len(values)).to(values)])
    return torch.stack([torch.autograd.grad(value, at, create_graph=True)[0] for value in function(at)])


@contextlib.contextmanager
def _running_statistics_kept() -> Iterator[list[nn.Module]]:
    """Freeze the running statistics of the modules that run, and collect the batch normalizations in training mode.

    A hook on every module finds them behind a function as well, and only those that the function uses.
    """
    batch_norms: list[nn.Module] = []
    tracked: list[nn.modules.batchnorm._NormBase] = []

    def hold(module: nn.Module, inputs: object) -> None:
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            batch_norms.append(module)
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.training and module.track_running_stats:
            module.track_running_stats = False  # it still normalizes by the batch, without recording it
            tracked.append(module)

    hook = nn.modules.module.register_module_forward_pre_hook(hold)
    try:
        yield batch_norms
    finally:
        hook.remove()
        for module in tracked:
            module.track_running_stats = True
