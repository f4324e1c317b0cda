"""Adversarial losses: the four objectives in common use, and the gradient penalties that go with them."""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losses.convention import (
    Loss,
    Reduction,
    at_least_float32,
    check_choice,
    check_number,
    check_same_shape,
    full_precision,
    reduce,
    stored_dtype,
)

GANMode = Literal["vanilla", "lsgan", "wgan", "hinge"]
PenaltyKind = Literal["wgan-gp", "r1"]
ScoreReduction = Literal["mean", "sum"]
Predictions = Tensor | Sequence[Tensor] | Sequence[Sequence[Tensor]]


@full_precision
def gan_loss(
    prediction: Tensor,
    target: Tensor,
    target_is_real: bool,
    *,
    mode: GANMode = "vanilla",
    for_discriminator: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`GANLoss`, of the scores of one scale and a ``target`` of their shape: the labels."""
    _check_target_is_real(target_is_real)
    check_choice("mode", mode, GANMode)
    check_same_shape(prediction, target, "prediction and target")
    if mode == "hinge" and not for_discriminator and not target_is_real:
        raise ValueError("target_is_real must be True for the generator in mode hinge: it has no other loss")
    if mode == "vanilla":
        loss = F.binary_cross_entropy_with_logits(prediction, target, reduction="none")
    elif mode == "lsgan":
        loss = (prediction - target).square()
    elif mode == "hinge" and for_discriminator:
        loss = F.relu(1 - prediction if target_is_real else 1 + prediction)
    else:
        loss = -prediction if target_is_real else prediction
    return reduce(loss, reduction)


class GANLoss(Loss):
    r"""Adversarial loss of a discriminator's predictions, for the discriminator's step and for the generator's.

    With predictions :math:`x` (raw scores, no sigmoid before), label :math:`t` and the mean over all elements:

    ========= ================================ ================================== ==============================
    mode      D, real                          D, fake                            G (real wanted)
    ========= ================================ ================================== ==============================
    vanilla   :math:`-\log\sigma(x)` [#t]_     :math:`-\log(1 - \sigma(x))` [#t]_ :math:`-\log\sigma(x)` [#t]_
    lsgan     :math:`(x - t)^2`                :math:`(x - t)^2`                  :math:`(x - t)^2`
    wgan      :math:`-x`                       :math:`x`                          :math:`-x`
    hinge     :math:`\max(0, 1 - x)`           :math:`\max(0, 1 + x)`             :math:`-x`
    ========= ================================ ================================== ==============================

    .. [#t] for the labels 1 and 0; in general :math:`-t\log\sigma(x) - (1 - t)\log(1 - \sigma(x))`.

    A discriminator of ``wgan`` is a critic that must be 1-Lipschitz: add :func:`gradient_penalty` to its loss.

    Args:
        mode: ``vanilla`` (binary cross-entropy on logits, Goodfellow et al. 2014, with the non-saturating
            generator), ``lsgan`` (Mao et al. 2017), ``wgan`` (Arjovsky et al. 2017) or ``hinge`` (Lim and Ye 2017).
        real_label: the target of real samples. 0.9 instead of 1 is one-sided label
            smoothing (Salimans et al. 2016), meant for the discriminator's step. ``vanilla``: in [0, 1].
            ``wgan`` and ``hinge`` have no labels: leave it at 1.
        fake_label: the target of generated samples, with the same limits. Leave it at 0 unless you know why:
            smoothing both sides reinforces what the generator already does wrong.
        reduction: ``none`` keeps the shape, for predictions of one scale; ``mean`` or ``sum``.

    Raises:
        ValueError: an unknown mode, a label outside its range, or a label set for a mode that has none.

    Example:
        >>> gan_loss = GANLoss("lsgan")
        >>> prediction = torch.zeros(4, 1, 30, 30)  # one score per patch
        >>> gan_loss(prediction, target_is_real=True)
        tensor(1.)
    """

    real_label: Tensor
    fake_label: Tensor

    def __init__(
        self,
        mode: GANMode = "vanilla",
        real_label: float = 1.0,
        fake_label: float = 0.0,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        check_choice("mode", mode, GANMode)
        for name, label, default in ("real_label", real_label, 1.0), ("fake_label", fake_label, 0.0):
            if mode in ("wgan", "hinge") and label != default:
                raise ValueError(f"{name} has no meaning in mode {mode}, which has no labels; got {label}")
            if mode == "vanilla" and not 0 <= label <= 1:
                raise ValueError(f"{name} must be in [0, 1] in mode vanilla, a probability; got {label}")
            if not math.isfinite(label):
                raise ValueError(f"{name} must be a finite number; got {label}")
        self.mode = mode
        # Not persistent: a label is an option, not something learned, and has no place in a state_dict.
        self.register_buffer("real_label", torch.tensor(real_label, dtype=stored_dtype()), persistent=False)
        self.register_buffer("fake_label", torch.tensor(fake_label, dtype=stored_dtype()), persistent=False)

    def get_labels(self, prediction: Tensor, target_is_real: bool) -> Tensor:
        """Return the target of every element of ``prediction``.

        Args:
            prediction: scores of a discriminator, any shape, floating point.
            target_is_real: whether the real or the fake label is wanted.

        Returns:
            A tensor of the label with the shape, dtype and device of ``prediction``; it takes no memory of its
            own (an expanded view) and no gradient.

        Raises:
            TypeError: ``target_is_real`` is not a boolean.
        """
        _check_target_is_real(target_is_real)
        label = self.real_label if target_is_real else self.fake_label
        return label.to(prediction).expand_as(prediction)

    def __call__(self, prediction: Predictions, target_is_real: bool, *, for_discriminator: bool = True) -> Tensor:
        """Compute the loss of ``prediction`` against real or fake.

        Args:
            prediction: raw scores, any shape, floating point. A multi-scale discriminator returns a sequence of them,
                whose losses are averaged with equal weight; or, as pix2pixHD's, a sequence of lists of feature maps
                that end in the scores.
            target_is_real: D's step: whether these samples are real. G's step: True, the label that G aims for.
            for_discriminator: False in G's step. It matters only in mode ``hinge``, where G has a different loss.

        Returns:
            A scalar (with ``reduction="none"`` the loss of each element), in at least float32. May be negative in modes
            ``wgan`` and ``hinge``. Predictions without elements give 0, attached to the graph.

        Raises:
            TypeError: ``target_is_real`` is not a boolean.
            ValueError: an empty sequence, several scales with ``reduction="none"``, or G in mode ``hinge`` with
                ``target_is_real=False``.
        """
        loss: Tensor = super().__call__(prediction, target_is_real, for_discriminator=for_discriminator)
        return loss

    def forward(self, prediction: Predictions, target_is_real: bool, *, for_discriminator: bool = True) -> Tensor:
        """See :meth:`__call__`."""
        scales = scores_of_scales("prediction", prediction, self.reduction)
        # Not read where it does not matter: torch.compile builds a graph for each value that is read.
        for_discriminator = self.mode != "hinge" or for_discriminator
        return torch.stack([self._of_one_scale(scale, target_is_real, for_discriminator) for scale in scales]).mean(0)

    def _of_one_scale(self, prediction: Tensor, target_is_real: bool, for_discriminator: bool) -> Tensor:
        prediction = at_least_float32(prediction)  # before the labels are made: bfloat16 has no 0.9
        return gan_loss(
            prediction,
            self.get_labels(prediction, target_is_real),
            target_is_real,
            mode=self.mode,
            for_discriminator=for_discriminator,
            reduction=self.reduction,
        )


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
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
    at the real samples.

    Args:
        discriminator: maps samples to scores, N x anything. For a conditional one pass a function of the sample
            alone, such as ``lambda image: discriminator(torch.cat([condition, image], 1))``. Batch normalization in
            training mode couples the samples, so that "the gradient of a sample" is not defined: it draws a warning.
            Its running statistics stay as they are.
        real: real samples, N x ..., floating point.
        fake: generated samples, same shape; not used by (and may be left out for) ``r1``.
        kind: which penalty.
        scores: what :math:`D(x_n)` is where a discriminator returns K scores for a sample: their ``"mean"``, as in the
            losses of :class:`GANLoss`; or their ``"sum"``, as in the reference implementations of pix2pix and StyleGAN.
            With the sum the norm is up to K times as large (K is 900 for a 70 x 70 PatchGAN and pictures of 256 x 256),
            and ``r1`` up to K squared times. The papers' discriminators have one score, for which the two are the same.
        center: the norm that ``wgan-gp`` asks for; 1 is the paper's, 0 is the zero-centered variant.
        weight: factor of the penalty, >= 0. Both papers take 10, for one score per sample. With ``r1`` and a map of
            scores 10 does next to nothing on their mean.

    Returns:
        A scalar >= 0 in at least float32 whose gradient reaches the discriminator's parameters (it is built with
        ``create_graph=True``), never ``real`` or ``fake``; without a graph under ``torch.no_grad``. A zero gradient
        gives a finite penalty with a finite gradient. No samples give 0. Computed outside autocast, in the dtype of the
        discriminator's parameters.

    Raises:
        ValueError: an unknown option, ``fake`` missing for ``wgan-gp``, or shapes that differ.

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
        if kind == "wgan-gp":
            if fake is None or fake.shape != real.shape:
                got = "none" if fake is None else f"{tuple(fake.shape)}"
                raise ValueError(f"fake must have the shape of real, {tuple(real.shape)}; got {got}")
            alpha = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=samples.dtype, device=real.device)
            samples = alpha * samples + (1 - alpha) * fake.detach().to(samples.dtype)
        if len(samples) == 0:
            return samples.sum()
        samples = samples.to(input_dtype)

        def total_score(samples: Tensor) -> Tensor:
            of_sample = at_least_float32(discriminator(samples)).reshape(len(samples), -1)
            return (of_sample.mean(1) if scores == "mean" else of_sample.sum(1)).sum()

        gradient = at_least_float32(_gradient(total_score, samples)).flatten(1)
        if kind == "r1":
            penalty = weight / 2 * gradient.square().sum(1).mean()
        else:
            # vector_norm, not the square root of a sum: its gradient at 0 is 0, the other's is NaN.
            penalty = weight * (torch.linalg.vector_norm(gradient, dim=1) - center).square().mean()
    if batch_norms:
        warnings.warn(
            "gradient_penalty: the discriminator has batch normalization, which couples the samples of a batch; "
            "use instance normalization or none",
            stacklevel=2,
        )
    return penalty if to_train else penalty.detach()


def _check_target_is_real(target_is_real: object) -> None:
    if not isinstance(target_is_real, bool):  # the string "fake" would count as true
        raise TypeError(f"target_is_real must be True or False; got {target_is_real!r}")


def scores_of_scales(name: str, predictions: Predictions, reduction: Reduction = "mean") -> list[Tensor]:
    """Return the scores of each scale of a discriminator, which may follow its feature maps in a list.

    Args:
        name: of the argument.
        predictions: scores; a sequence of them, of several scales; or of lists that end in the scores.
        reduction: of the loss: scores of several scales have no common shape for ``none``.

    Raises:
        ValueError: an empty sequence, or several scales with ``reduction="none"``.
    """
    scales: list[Tensor | Sequence[Tensor]] = [predictions] if isinstance(predictions, Tensor) else list(predictions)
    if not scales or (reduction == "none" and len(scales) > 1):
        raise ValueError(
            f"{name} must be a tensor or hold at least one, and just one with reduction none; "
            f"got a sequence of {len(scales)}"
        )
    if not all(isinstance(scale, Tensor) or len(scale) for scale in scales):
        raise ValueError(f"{name} must hold tensors, or lists that end in one; got an empty list")
    return [scale if isinstance(scale, Tensor) else scale[-1] for scale in scales]


def _input_dtype(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> torch.dtype:
    """The dtype of a discriminator's input: that of its parameters; for a function, whose are unknown, of ``real``."""
    parameter = next(discriminator.parameters(), None) if isinstance(discriminator, nn.Module) else None
    if parameter is not None:
        return parameter.dtype
    # Under autocast samples of half precision meet parameters in float32.
    under_autocast = torch.is_autocast_enabled(real.device.type)
    return at_least_float32(real).dtype if under_autocast else real.dtype


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    try:
        at.requires_grad_()
    except RuntimeError:  # inside a transform of torch.func, which allows its own gradient only
        gradient: Tensor = torch.func.grad(function)(at)
        return gradient
    (gradient,) = torch.autograd.grad(function(at), at, create_graph=True)
    return gradient


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
