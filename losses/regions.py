"""Soft sizes of predicted and true regions, from which the overlap losses are computed."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from losses.convention import check_classes, reads_values

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
    of = _regions_of_masks if target.shape == input.shape and input.dim() >= 2 else _regions_of_classes
    sizes = of(input, target, ignore_index, validate)
    first = 0 if include_background else 1
    return Regions(*((size if per_sample else size.sum(0))[..., first:] for size in sizes))


def _regions_of_classes(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> Regions:
    if input.dim() >= 2 and input.shape[1] == 1 and target.shape == input.shape[:1] + input.shape[2:]:
        raise ValueError(
            f"input has one class, whose softmax is always 1: a binary target needs the shape of input, "
            f"{tuple(input.shape)}, as from target.unsqueeze(1); got {tuple(target.shape)}"
        )
    target, classes = check_classes(input, target, ignore_index, validate), input.shape[1]
    target = target.unsqueeze(-1).flatten(1)  # N x S
    valid = target != ignore_index
    target, counted = torch.where(valid, target, 0), valid.to(input.dtype)
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


def _regions_of_masks(input: Tensor, target: Tensor, ignore_index: int, validate: bool) -> Regions:
    target = target.to(input.dtype)
    valid = target != ignore_index
    target = torch.where(valid, target, 0)
    if reads_values(validate, target) and not ((target >= 0) & (target <= 1)).all():
        raise ValueError(
            f"target must be in [0, 1], or {ignore_index} to ignore, in a region; "
            f"got {target.min().item():g} to {target.max().item():g}"
        )
    probabilities = torch.sigmoid(input) * valid
    sizes = probabilities * target, probabilities, target, valid.to(input.dtype)
    return Regions(*(size.unsqueeze(-1).flatten(2).sum(2) for size in sizes))
