"""Adversarial losses: the four objectives in common use."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import (
    Loss,
    Reduction,
    at_least_float32,
    check_same_shape,
    full_precision,
    reduce,
    stored_dtype,
)

GANMode = Literal["vanilla", "lsgan", "wgan", "hinge"]
Predictions = Tensor | Sequence[Tensor] | Sequence[Sequence[Tensor]]
Options = ParamSpec("Options")
Result = TypeVar("Result")

# What others call the modes and the options, for errors that tell the names here.
MODES_ELSEWHERE = {
    "bce": "vanilla",
    "original": "vanilla",
    "leastsquares": "lsgan",
    "ls": "lsgan",
    "mse": "lsgan",
    "wgangp": "wgan, with gradient_penalty in the discriminator's loss",
}
OPTIONS_ELSEWHERE = {"gan_mode": "mode", "target_real_label": "real_label", "target_fake_label": "fake_label"}


def names_options_of_others(function: Callable[Options, Result]) -> Callable[Options, Result]:
    """Decorate ``function`` to refuse options that have another name elsewhere by telling the name here."""

    @functools.wraps(function)
    def checked(*args: Options.args, **options: Options.kwargs) -> Result:
        for name in OPTIONS_ELSEWHERE.keys() & options.keys():
            raise TypeError(f"GANLoss has no option {name}: it is {OPTIONS_ELSEWHERE[name]} here")
        return function(*args, **options)

    return checked


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
    _check_mode(mode)
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

    @names_options_of_others
    def __init__(
        self,
        mode: GANMode = "vanilla",
        real_label: float = 1.0,
        fake_label: float = 0.0,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        _check_mode(mode)
        for name, label, default in ("real_label", real_label, 1.0), ("fake_label", fake_label, 0.0):
            if mode in ("wgan", "hinge") and label != default:
                raise ValueError(f"{name} has no meaning in mode {mode}, which has no labels; got {label}")
            if mode == "vanilla" and not 0 <= label <= 1:
                raise ValueError(f"{name} must be in [0, 1] in mode vanilla, a probability; got {label}")
            if not math.isfinite(label):
                raise ValueError(f"{name} must be a finite number; got {label}")
        self.mode = mode
        self._labels = {"real_label": real_label, "fake_label": fake_label}  # as given, not rounded to float32
        # Not persistent: a label is an option, not something learned, and has no place in a state_dict.
        self.register_buffer("real_label", torch.tensor(real_label, dtype=stored_dtype()), persistent=False)
        self.register_buffer("fake_label", torch.tensor(fake_label, dtype=stored_dtype()), persistent=False)

    @property
    def options(self) -> dict[str, Any]:
        """The options by their names."""
        return {"mode": self.mode, **self._labels, "reduction": self.reduction}

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
        return mean_of_scales([self._of_one_scale(scale, target_is_real, for_discriminator) for scale in scales])

    def __getattr__(self, name: str) -> Any:
        if name == "get_target_tensor":
            raise AttributeError("GANLoss has no get_target_tensor: it is get_labels here")
        return super().__getattr__(name)

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


def _check_mode(mode: str) -> None:
    modes = get_args(GANMode)
    if mode not in modes:
        plain = str(mode).lower().replace("-", "").replace("_", "")
        here = MODES_ELSEWHERE.get(plain, plain)
        hint = f", which is {here} here" if plain in MODES_ELSEWHERE or plain in modes else ""
        raise ValueError(f"mode must be one of {', '.join(modes)}; got {mode!r}{hint}")


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


def mean_of_scales(values: Sequence[Tensor]) -> Tensor:
    """Return the mean of what was computed for each scale, of which there is at least one; of one it is the same."""
    return values[0] if len(values) == 1 else torch.stack(list(values)).mean(0)
