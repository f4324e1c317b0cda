"""The conventions that all losses share: precision, shapes, reduction and the checks of options."""

import functools
import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar, Literal, ParamSpec, Self, TypeVar, get_args

import torch
from torch import Tensor, nn

IGNORE_INDEX = -100  # torch's: no class of anybody's

Reduction = Literal["none", "mean", "sum"]
Likelihood = Literal["gaussian", "laplace", "categorical"]
ClassWeights = Sequence[float] | Tensor | None
Options = ParamSpec("Options")
Result = TypeVar("Result")


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return ``tensor`` in float32 if it is float16 or bfloat16, and unchanged if it is float32 or float64.

    A loss in half precision goes wrong silently: a float16 sum overflows at 65,504, fewer than the pixels of one
    256 x 256 image, and bfloat16 keeps two to three digits.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def stored_dtype() -> torch.dtype:
    """Return the dtype in which options and states are kept: torch's default, but at least float32.

    Trainers set the default to half precision while they build a model that trains in it throughout.
    """
    return torch.promote_types(torch.get_default_dtype(), torch.float32)


def without_rounding(move: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Wrap the function that ``module.half()`` and the like apply, so that it moves tensors but never rounds them.

    Args:
        move: the argument of :meth:`torch.nn.Module._apply`.
    """

    def move_alone(tensor: Tensor) -> Tensor:
        moved = move(tensor)
        return moved if moved.dtype == torch.promote_types(moved.dtype, torch.float32) else tensor.to(moved.device)

    return move_alone


def full_precision(loss: Callable[Options, Result]) -> Callable[Options, Result]:
    """Decorate a loss to compute in at least float32 and outside autocast, whatever the precision of its tensors.

    Raises:
        TypeError: in the call: an argument that must be a tensor is something else, such as a list.
    """
    parameters = inspect.signature(loss).parameters.values()
    names = tuple(parameter.name for parameter in parameters)
    tensors = tuple(parameter.name for parameter in parameters if parameter.annotation is Tensor)

    def widen(value: Any) -> Any:
        return at_least_float32(value) if isinstance(value, Tensor) and value.is_floating_point() else value

    @functools.wraps(loss)
    def in_full_precision(*args: Options.args, **options: Options.kwargs) -> Result:
        given = {**dict(zip(names, args, strict=False)), **options}
        for name in tensors:
            if name in given:
                check_tensor(name, given[name])
        device = next((value.device.type for value in given.values() if isinstance(value, Tensor)), "cpu")
        in_autocast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
        with torch.autocast(device, enabled=False) if in_autocast else nullcontext():
            return loss(*map(widen, args), **{name: widen(value) for name, value in options.items()})

    return in_full_precision


def reduce(values: Tensor, reduction: Reduction, *, weight: Tensor | None = None) -> Tensor:
    r"""Reduce the values of a loss.

    Args:
        values: one value per element, 0 where the element does not count, already multiplied by its weight.
        reduction: ``none`` returns ``values``, ``sum`` their sum, and ``mean`` their sum divided by the number of
            elements or, with ``weight``, by the sum of the weights.
        weight: how much each element counts: a weight >= 0, or a boolean for whether it is valid.

    Returns:
        The mean of nothing (no elements, or no weight above 0) is 0, attached to the graph of ``values``.

    Raises:
        ValueError: an unknown reduction.
    """
    check_choice("reduction", reduction, Reduction)
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    if weight is None:
        return values.sum() / max(values.numel(), 1)
    total = weight.sum()
    return values.sum() / torch.where(total == 0, 1, total)


def power(base: Tensor, exponent: float) -> Tensor:
    """Return ``base ** exponent`` for a base >= 0, with the gradient 0 at 0, which is infinite for exponents < 1."""
    positive = base > 0
    return torch.where(positive, torch.where(positive, base, 1).pow(exponent), 0)


def ratio(part: Tensor, whole: Tensor, *, otherwise: float | Tensor) -> Tensor:
    """Return ``part / whole``, or ``otherwise`` where the whole is 0. No epsilon is added: small ratios stay exact."""
    exists = whole > 0
    return torch.where(exists, part / torch.where(exists, whole, 1), otherwise)


def check_tensor(name: str, value: object) -> None:
    """Require the argument ``name`` to be a tensor, and not a list.

    Raises:
        TypeError: names the argument and what it got.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor; got {type(value).__name__}")


def check_same_shape(input: Tensor, target: Tensor, names: str = "input and target") -> None:
    """Require two tensors of the same shape, which neither broadcast nor fail later.

    Raises:
        ValueError: names the tensors and both shapes.
    """
    if input.shape != target.shape:
        raise ValueError(f"{names} must have the same shape; got {tuple(input.shape)} and {tuple(target.shape)}")


def check_choice(name: str, value: object, choices: Any) -> None:
    """Require the option ``name`` to be one of the ``choices`` of a ``Literal``.

    Raises:
        ValueError: names the option and what it may be.
    """
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(map(str, get_args(choices)))}; got {value!r}")


def check_number(
    name: str, value: float, *, above: float | None = None, at_least: float | None = None, at_most: float | None = None
) -> None:
    """Require the option ``name`` to be finite and within its range.

    Raises:
        ValueError: names the option and its range.
    """
    bounds = {"above": above, "at least": at_least, "at most": at_most}
    inside = (
        (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (at_most is None or value <= at_most)
        and abs(value) != float("inf")
    )
    if not inside:
        expected = " and ".join(f"{text} {bound:g}" for text, bound in bounds.items() if bound is not None)
        raise ValueError(f"{name} must be a finite number {expected}; got {value}")


def check_input_range(input_range: tuple[float, float]) -> None:
    """Require the option ``input_range`` to be two numbers, black and white in the pictures.

    Raises:
        ValueError: says so.
    """
    if len(input_range) != 2 or not input_range[0] < input_range[1]:
        raise ValueError(f"input_range must be two numbers, black and white, the first smaller; got {input_range}")


def reads_values(validate: bool, tensor: Tensor) -> bool:
    """Return whether a loss may read the values of ``tensor`` to check them.

    Reading a value waits for the GPU, so the losses that do it have the option ``validate`` to turn it off. A compiled
    graph cannot contain it, and a tensor on the meta device has no values.
    """
    return validate and not tensor.is_meta and not torch.compiler.is_compiling()


def check_mask(mask: Tensor | None, input: Tensor) -> Tensor | None:
    """Return ``mask`` in the shape of ``input``: its own, or N x 1 x ..., one channel for all.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: names both shapes.
    """
    if mask is None:
        return None
    check_boolean(mask)
    if mask.shape != input.shape and (input.dim() < 2 or mask.shape != (len(input), 1, *input.shape[2:])):
        raise ValueError(
            f"mask must have the shape of input, {tuple(input.shape)}, or one channel for all; got {tuple(mask.shape)}"
        )
    return mask.expand_as(input)


def check_boolean(mask: Tensor) -> None:
    """Require ``mask`` to be boolean: numbers might be meant as weights.

    Raises:
        TypeError: the mask is not boolean.
    """
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"mask must be a boolean tensor, True where the truth is known; got {got}")


def check_classes(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> Tensor:
    """Return ``target`` as int64, which torch requires, after checking that it fits the logits ``input``."""
    if target.shape == input.shape and input.dim() >= 2 and not target.is_floating_point():
        raise ValueError(
            f"target holds integers in the shape of input, {tuple(input.shape)}, as one-hot classes: "
            "pass target.argmax(1)"
        )
    if input.dim() < 2 or target.shape != input.shape[:1] + input.shape[2:]:
        raise ValueError(
            "input must have the shape N x C x ... and target N x ...; "
            f"got {tuple(input.shape)} and {tuple(target.shape)}"
        )
    if target.is_floating_point():
        raise ValueError(
            f"target must hold integers, the classes, for shapes {tuple(input.shape)} of input and "
            f"{tuple(target.shape)} of target; got {target.dtype}"
        )
    target, classes = target.long(), input.shape[1]
    if reads_values(validate, target):
        wrong = (target != ignore_index) & ((target < 0) | (target >= classes))
        if wrong.any():
            raise ValueError(
                f"target must hold classes from 0 to {classes - 1}, or {ignore_index} to ignore; "
                f"got {target[wrong][0].item()}"
            )
    return target


def check_class_weights(name: str, weights: Tensor | None, input: Tensor) -> Tensor | None:
    """Return the option ``name``, one weight per class, in the dtype of the logits ``input``, N x C x ....

    Raises:
        ValueError: names the option and the shapes.
    """
    if weights is None:
        return None
    if not isinstance(weights, Tensor) or weights.shape != input.shape[1:2]:
        got = f"the shape {tuple(weights.shape)}" if isinstance(weights, Tensor) else weights
        raise ValueError(
            f"{name} must be a tensor of one weight per class of the input, whose shape is {tuple(input.shape)}; "
            f"got {got}"
        )
    return weights.to(input.dtype)


def as_weights(name: str, weights: ClassWeights | float, *, scalar: bool = False) -> Tensor | None:
    """Return the option ``name``, one weight per class, as a tensor of its own.

    Args:
        name: of the option.
        weights: one per class, or None.
        scalar: whether one weight for all classes is allowed.

    Raises:
        ValueError: a wrong number of dimensions, no weight, or one that is negative or not finite.
    """
    if weights is None:
        return None
    if isinstance(weights, Tensor):
        tensor = at_least_float32(weights.detach().clone())
    else:
        tensor = torch.tensor(weights if isinstance(weights, float | int) else list(weights), dtype=stored_dtype())
    few = tensor.dim() == 0 and scalar
    if not (few or tensor.dim() == 1) or not tensor.numel() or not (tensor.isfinite() & (tensor >= 0)).all():
        allowed = (
            "be one finite weight >= 0, or hold one per class" if scalar else "hold one finite weight >= 0 per class"
        )
        raise ValueError(f"{name} must {allowed}; got {tensor.tolist()}")
    return tensor


class Loss(nn.Module):
    """Base of the losses as modules, which keep the options that the functions of the same name take.

    Options outside their range are refused by name when the module is built. Numbers among them are attributes; tensors
    are buffers, which move with the module, are not saved, and stay in at least float32 where the model is cast to half
    precision. The loss itself is computed in at least float32 and outside autocast.

    Attributes:
        likelihood: what the loss is like, for uncertainty weighting: ``gaussian`` like squared errors, ``laplace`` like
            absolute errors, ``categorical`` like cross-entropies.

    Args:
        reduction: ``none``, ``mean`` or ``sum``.
        options: the other options, by their names.

    Raises:
        ValueError: an option outside its range.
    """

    likelihood: ClassVar[Likelihood] = "gaussian"
    function: ClassVar[Callable[..., Tensor]]  # the functional form, where a family of losses shares its forward
    reduction: Reduction

    def __init__(self, *, reduction: Reduction = "mean", **options: Any) -> None:
        super().__init__()
        check_choice("reduction", reduction, Reduction)
        options["reduction"] = reduction
        self._option_names = tuple(options)
        for name, value in options.items():
            if isinstance(value, Tensor):
                self.register_buffer(name, value, persistent=False)
            else:
                setattr(self, name, value)

    @property
    def options(self) -> dict[str, Any]:
        """The options by their names, as the function of the loss takes them."""
        return {name: getattr(self, name) for name in self._option_names}

    def recipe(self) -> dict[str, Any]:
        """Return how to build this loss, in the form of a configuration; losses in its options as they are."""
        return {"class_path": f"{type(self).__module__}.{type(self).__qualname__}", "init_args": self.options}

    def with_options(self, **options: Any) -> Self:
        """Return a loss like this one with other options; those that it does not have are left out."""
        own = self.options
        return type(self)(**{**own, **{name: value for name, value in options.items() if name in own}})

    def extra_repr(self) -> str:
        """Return the options, for ``print(model)``."""
        shown = {name: repr(value) for name, value in vars(self).items() if name[0] != "_"}
        for name, buffer in self.named_buffers(recurse=False):
            values = ["?"] if buffer.is_meta else [f"{value:g}" for value in buffer.flatten().tolist()]
            shown[name] = f"[{', '.join(values)}]" if buffer.dim() else values[0]
        shown["reduction"] = shown.pop("reduction")  # the last
        return ", ".join(f"{name}={value}" for name, value in shown.items() if name != "training")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if recurse:
            for child in self.children():
                child._apply(fn)
        return super()._apply(without_rounding(fn), recurse=False)
