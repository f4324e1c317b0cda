"""Soft sizes of predicted and true regions, from which the overlap losses are computed."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from losses.convention import check_classes, reads_values

Absent = Literal["keep", "skip", "zero"]

RUN, PART = 256, 16384  # pixels summed at once, one by one or in a matrix product: float32 has seven digits


class Regions(NamedTuple):
    """Soft sizes, N x C or C: what prediction and truth share, each of them, and the pixels that count."""

    shared: Tensor
    predicted: Tensor
    true: Tensor
    pixels: Tensor


def soft_regions(
    input: Tensor, target: Tensor, per_sample: bool, include_background: bool, ignore_index: int, validate: bool
) -> Regions:
    """Measure the regions of each class.

    Args:
        input: logits, N x C x ....
        target: classes, N x ..., whose probabilities are the softmax; or regions, N x C x ..., with the sigmoid.
        per_sample: N x C sizes; False sums over the batch, C.
        include_background: False leaves class 0 out.
        ignore_index: pixels of this class, or in regions of this value, do not count.
        validate: whether to look for targets outside [0, C) or [0, 1].

    Raises:
        ValueError: shapes do not fit, or a target is outside its range.
    """
    of = _regions_of_masks if _is_of_masks(input, target) else _regions_of_classes
    sizes = of(input, target, ignore_index, validate)
    first = 0 if include_background else 1
    return Regions(*((size if per_sample else size.sum(0))[..., first:] for size in sizes))


def soft_errors(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Measure how far each pixel's probability is from the truth, for each class.

    Args:
        input: logits, N x C x ....
        target: classes or regions, as in :func:`soft_regions`; these hold 0 and 1 alone.
        ignore_index: pixels of this class, or in regions of this value, do not count.
        validate: whether to look for targets outside their range.

    Returns:
        N x C x S: the errors in [0, 1], 0 where a pixel does not count; whether the truth is 1; and whether it counts.

    Raises:
        ValueError: shapes do not fit, or a target is outside its range.
    """
    if _is_of_masks(input, target):
        target, valid = _known_masks(input, target, ignore_index, validate)
        if reads_values(validate, target) and not ((target == 0) | (target == 1)).all():
            raise ValueError(f"target must be 0 or 1, or {ignore_index} to ignore, in a region; got parts of 1")
        true, probabilities = target == 1, torch.sigmoid(input)
    else:
        target, valid = _known_classes(input, target, ignore_index, validate)
        true = target.unsqueeze(1) == torch.arange(input.shape[1], device=input.device).unsqueeze(1)
        valid, probabilities = valid.unsqueeze(1).expand_as(true), input.softmax(1)
    true, valid, probabilities = (each.unsqueeze(-1).flatten(2) for each in (true, valid, probabilities))
    true = true & valid
    return torch.where(valid, (true.to(probabilities.dtype) - probabilities).abs(), 0), true, valid


def count_classes(
    loss: Tensor, present: Tensor, known: Tensor, absent: Absent, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the loss of each class times its weight, and what the class counts in the mean.

    Args:
        loss: N x C or C.
        present: whether the class has a true pixel.
        known: whether there is a pixel that counts.
        absent: how a class that is not present counts: ``keep``, ``skip`` or ``zero``.
        weight: of the classes, C or, if the background is left out of ``loss``, with it one more.
    """
    counts = (known & present if absent == "skip" else known).to(loss.dtype)
    if weight is not None:
        counts = counts * weight[-loss.shape[-1] :]  # the last: without the background, if that is left out
    return loss * (counts * present if absent == "zero" else counts), counts


def _is_of_masks(input: Tensor, target: Tensor) -> bool:
    return target.shape == input.shape and input.dim() >= 2


def _known_classes(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> tuple[Tensor, Tensor]:
    """Classes, N x S, with 0 where they do not count, and where they do."""
    if input.dim() >= 2 and input.shape[1] == 1 and target.shape == input.shape[:1] + input.shape[2:]:
        raise ValueError(
            f"input has one class, whose softmax is always 1: a binary target needs the shape of input, "
            f"{tuple(input.shape)}, as from target.unsqueeze(1); got {tuple(target.shape)}"
        )
    target = check_classes(input, target, ignore_index, validate).unsqueeze(-1).flatten(1)
    valid = target != ignore_index
    return torch.where(valid, target, 0), valid


def _regions_of_classes(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> Regions:
    target, valid = _known_classes(input, target, ignore_index, validate)
    classes, counted = input.shape[1], valid.to(input.dtype)
    predicted, of_truth = _Overlap.apply(input.softmax(1).unsqueeze(-1).flatten(2), target, counted)
    # Not the sum of what is right: probabilities near 1 would round to 1 in it, and the loss would be negative.
    missed = (1 - of_truth) * counted
    true, missed = _sums_by_class(target, classes, counted, missed)
    return Regions(true - missed, predicted, true, counted.sum(1, keepdim=True).expand_as(true))


class _Overlap(torch.autograd.Function):
    """The sums of probabilities, N x C x S, over the pixels that count, N x C; and that of each pixel's class, N x S.

    Its gradient is one tensor of this size. A product and a gather would need three, and most of the time is spent on
    such memory.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(probabilities: Tensor, target: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        # In parts, as one product over a large picture loses digits; a sum of products with ``counted`` is slower.
        parts = zip(probabilities.split(PART, 2), counted.unsqueeze(2).split(PART, 1), strict=True)
        predicted = torch.stack([part @ counts for part, counts in parts]).sum(0)
        return predicted.squeeze(2), probabilities.gather(1, target.unsqueeze(1)).squeeze(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, of_predicted: Tensor, of_truth: Tensor) -> tuple[Tensor, None, None]:
        target, counted = ctx.saved_tensors
        gradient = of_predicted.unsqueeze(2) * counted.unsqueeze(1)
        return gradient.scatter_add_(1, target.unsqueeze(1), of_truth.unsqueeze(1)), None, None

    @staticmethod
    def jvp(ctx: Any, of_probabilities: Tensor, _: None, __: None) -> tuple[Tensor, Tensor]:
        return _Overlap.forward(of_probabilities, *ctx.saved_tensors)  # linear in the probabilities


def _sums_by_class(target: Tensor, classes: int, *values: Tensor) -> list[Tensor]:
    """The sums over each sample's pixels, N x C, of each of ``values``, N x S, by the class of the pixel."""
    # Without a one-hot tensor, which would be as large as the logits; and in short runs of pixels first, since
    # index_add adds them one by one: in float32 a count would stop at 2^24, and other sums are off by percents earlier.
    samples, pixels = target.shape
    runs = -(-pixels // RUN)
    first = classes * torch.arange(samples * runs, device=target.device).view(samples, runs, 1)
    place = (target + first.expand(-1, -1, RUN).flatten(1)[:, :pixels]).flatten()
    zeros = values[0].new_zeros(samples * runs * classes)
    return [zeros.index_add(0, place, each.flatten()).view(samples, runs, classes).sum(1) for each in values]


def _known_masks(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> tuple[Tensor, Tensor]:
    """Regions in the dtype and shape of ``input``, with 0 where they do not count, and where they do."""
    target = target.to(input.dtype)
    valid = target != ignore_index
    target = torch.where(valid, target, 0)
    if reads_values(validate, target) and not ((target >= 0) & (target <= 1)).all():
        raise ValueError(
            f"target must be in [0, 1], or {ignore_index} to ignore, in a region; "
            f"got {target.min().item():g} to {target.max().item():g}"
        )
    return target, valid


def _regions_of_masks(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> Regions:
    target, valid = _known_masks(input, target, ignore_index, validate)
    probabilities = torch.sigmoid(input) * valid
    sizes = probabilities * target, probabilities, target, valid.to(input.dtype)
    return Regions(*(size.unsqueeze(-1).flatten(2).sum(2) for size in sizes))
