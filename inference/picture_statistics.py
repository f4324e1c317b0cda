"""Normalization by the statistics of a picture of which a network sees one tile at a time.

Instance norm, group norm, and batch norm in training mode normalize by the mean and the variance of the picture before
them. Those of a tile are others, whatever the overlap. So the tiles are run once for each of these norms, in the order
in which the network calls them: up to the norm, with the statistics of all norms before it fixed.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from inference.sizes import Box, crop


class Norm(NamedTuple):
    """One normalization by statistics of the picture: groups of channels of N x C x h x w share a mean and variance."""

    input: Tensor
    groups: int
    weight: Tensor | None
    bias: Tensor | None
    eps: float


class ReplacedNorms(TorchFunctionMode):
    """While entered, what normalizes by statistics of its input calls ``replacement`` instead.

    That is each call of batch_norm, instance_norm and group_norm of torch.nn.functional, from whichever module; batch
    and instance norm with stored statistics stay as they are.
    """

    def __init__(self, replacement: Callable[[Norm], Tensor]) -> None:
        super().__init__()
        self.replacement = replacement

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        norm = _norm(func, args, kwargs or {})
        return func(*args, **(kwargs or {})) if norm is None else self.replacement(norm)


def _norm(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Norm | None:
    if func not in (F.batch_norm, F.instance_norm, F.group_norm):
        return None
    call = inspect.signature(func).bind(*args, **kwargs)
    call.apply_defaults()
    options = call.arguments
    if not options.get("training", True) or not options.get("use_input_stats", True):
        return None
    x = options["input"]
    return Norm(x, options.get("num_groups", x.shape[1]), options["weight"], options["bias"], options["eps"])


@contextlib.contextmanager
def untracked(network: nn.Module) -> Iterator[None]:
    """Hide the running statistics of norms in training mode, which a forward pass would update; then put them back."""
    hidden = [
        (layer, name, getattr(layer, name))
        for layer in network.modules()
        if isinstance(layer, _NormBase) and layer.training and layer.running_mean is not None
        for name in ("running_mean", "running_var", "num_batches_tracked")
    ]
    try:
        for layer, name, _ in hidden:
            setattr(layer, name, None)
        yield
    finally:
        for layer, name, value in hidden:
            setattr(layer, name, value)


class PictureStatistics:
    """The statistics of one picture before each norm of a network, found one norm after the other.

    For each norm, :meth:`measure` all tiles, then :meth:`fix` what was measured. After the last one, :meth:`run` gives
    the output for any tile. The network is never changed.

    Args:
        network: N x C x H x W -> N x C' x H x W, in the mode that it is to be used in.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._fixed: list[tuple[Tensor, Tensor]] = []
        self._parts: list[tuple[int, Tensor, Tensor]] = []  # of each core: values, means, variances

    def measure(self, tiles: Tensor, cores: Sequence[Box]) -> None:
        """Measure what reaches the first norm whose statistics are not fixed.

        Args:
            tiles: N tiles N x C x H x W.
            cores: the box of each tile that counts. Together, the cores of all tiles are a partition of the picture.

        Raises:
            ValueError: there is no such norm; or its input is not the tile in another resolution.
        """
        with contextlib.suppress(_Measured):
            self._forward(tiles, cores)
            raise ValueError("the network has no further norm; its mode is not the one that its geometry was taken in")

    def fix(self) -> None:
        """Let the norm that was measured use the mean and the biased variance of all that was measured."""
        counts = torch.tensor([count for count, _, _ in self._parts], dtype=torch.float64)
        share = (counts / counts.sum())[:, None]
        example = self._parts[0][1]  # the device and precision that the network computes with
        means = torch.stack([mean for _, mean, _ in self._parts]).cpu().double()
        variances = torch.stack([variance for _, _, variance in self._parts]).cpu().double()
        mean = (share * means).sum(0)
        variance = (share * (variances + (means - mean).square())).sum(0)
        self._fixed.append((mean.to(example), variance.to(example)))
        self._parts = []

    def run(self, tiles: Tensor) -> Tensor:
        """Compute the output N x C' x H x W for tiles N x C x H x W, with the statistics that are fixed.

        Raises:
            ValueError: there is a norm whose statistics are not.
        """
        return self._forward(tiles, ())

    def _forward(self, tiles: Tensor, cores: Sequence[Box]) -> Tensor:
        fixed = iter(self._fixed)

        def normalize(norm: Norm) -> Tensor:
            statistics = next(fixed, None)
            if statistics is not None:
                return _normalized(norm, *statistics)
            if not cores:
                raise ValueError("the network has a norm without statistics; its geometry was taken in another mode")
            self._parts += [_statistics(norm, index, tiles, core) for index, core in enumerate(cores)]
            raise _Measured

        with untracked(self.network), ReplacedNorms(normalize):
            return self.network(tiles)


class _Measured(Exception):
    """Ends a forward pass: what follows in the network is of no use yet."""


def _normalized(norm: Norm, mean: Tensor, variance: Tensor) -> Tensor:
    """Normalize by given statistics of the groups; in the precision of the statistics, at least float32."""
    size = norm.input.shape[1] // norm.groups
    mean, variance = mean.repeat_interleave(size), variance.repeat_interleave(size)
    weight, bias = (None if value is None else value.to(mean) for value in (norm.weight, norm.bias))
    return F.batch_norm(norm.input, mean, variance, weight, bias, training=False, eps=norm.eps)


def _statistics(norm: Norm, index: int, tiles: Tensor, core: Box) -> tuple[int, Tensor, Tensor]:
    """Return how many values of a group lie in the core of a tile, their mean and their variance."""
    features = crop(norm.input[index], _scaled(core, tiles.shape[2:], norm.input.shape[2:]))
    groups = features.unflatten(0, (norm.groups, -1))
    precision = torch.promote_types(features.dtype, torch.float32)
    variance, mean = torch.var_mean(groups.to(precision), dim=(1, 2, 3), correction=0)
    return groups[0].numel(), mean, variance


def _scaled(box: Box, tile: torch.Size, features: torch.Size) -> Box:
    """Return where a box of a tile is in its features, which have another resolution."""
    if len(features) == 2:
        down, across = Fraction(features[0], tile[0]), Fraction(features[1], tile[1])
        places = [box.top * down, box.left * across, box.height * down, box.width * across]
        if all(place.denominator == 1 for place in places):
            return Box(*map(int, places))
    raise ValueError(
        f"a norm of features of {' x '.join(map(str, features))} cannot use the statistics of a picture in tiles of "
        f"{tile[0]} x {tile[1]}: they are not the tile in another resolution"
    )
