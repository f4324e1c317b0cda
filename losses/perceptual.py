"""Perceptual loss: images compared by the features of a VGG."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor, nn

from losses.convention import (
    Loss,
    Reduction,
    at_least_float32,
    check_choice,
    check_input_range,
    check_number,
    check_same_shape,
    check_tensor,
    full_precision,
    reduce,
    stored_dtype,
    without_rounding,
)
from losses.pretrained import trained_weights

VGG = Literal["vgg16", "vgg19"]
Distance = Literal["l1", "mse"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LOG_VARIANCE_LIMIT = 10.0


def perceptual_loss(
    input: Sequence[Tensor],
    target: Sequence[Tensor],
    *,
    layer_weights: Sequence[float] | None = None,
    distance: Distance = "l1",
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`PerceptualLoss`, of features that any network computed: one N x ... for each layer."""
    check_choice("distance", distance, Distance)
    weights = [1.0] * len(input) if layer_weights is None else layer_weights
    if not input or not len(input) == len(target) == len(weights):
        raise ValueError(
            "input, target and layer_weights must have one entry per layer, at least one; "
            f"got {len(input)}, {len(target)} and {len(weights)}"
        )
    for weight in weights:
        check_number("layer_weights", weight, at_least=0)
    layers = zip(weights, input, target, strict=True)
    return reduce(torch.stack([weight * _distance(f, g, distance) for weight, f, g in layers]).sum(0), reduction)


class PerceptualLoss(Loss):
    r"""Distance of two pictures in the layers of a VGG, :math:`\sum_l w_l \, \mathrm{mean}|\phi_l(x) - \phi_l(y)|`.

    The VGG was trained to tell ImageNet's classes apart, so its features respond to the content of an image more than
    to single pixels (Johnson et al. 2016). Each picture goes through it once, whatever the number of layers, the target
    without a graph. It stays frozen, in evaluation mode, and out of ``parameters()`` and ``state_dict()``, but moves
    with ``.to()``. It computes in float32, and in float64 after ``.double()``.

    Args:
        weights: the VGG's weights: the path of a file (torchvision's state_dict of this VGG, whole or its ``features``
            alone, for pictures with torchvision's ImageNet mean and standard deviation), or one of torchvision's names,
            such as ``IMAGENET1K_V1``, which downloads them. None: random ones, for experiments.
        vgg: ``vgg16`` or ``vgg19``.
        layers: the ReLUs to compare: relu1_1 to relu5_3 in vgg16, to relu5_4 in vgg19.
        layer_weights: :math:`w_l` >= 0 for each layer, 1 if left out; or ``learned``, :math:`\sum_l e^{-s_l} L_l + s_l`
            with a parameter :math:`s_l` in [-10, 10] for each layer (Kendall et al. 2018) that must be passed to the
            optimizer; the loss may then be negative. (Weights learned without the second term all go to 0, or to the
            layer with the least loss.)
        distance: ``l1`` or ``mse``, in the layers.
        input_range: black and white in the pictures: (-1, 1) as in pix2pix, (0, 1) or (0, 255).
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.

    Raises:
        ValueError: an unknown layer or option, or a file that does not hold this VGG's weights.
        OSError: the weights cannot be read or downloaded.

    Example:
        >>> loss = PerceptualLoss(weights=None, layers=["relu1_2", "relu2_2"], reduction="none")
        >>> output, target = torch.zeros(4, 3, 32, 32), torch.zeros(4, 3, 32, 32)
        >>> loss(output, target)
        tensor([0., 0., 0., 0.])
    """

    weights: str | None
    vgg: VGG
    layers: tuple[str, ...]
    layer_weights: Sequence[float] | Literal["learned"] | None
    distance: Distance
    input_range: tuple[float, float]

    def __init__(
        self,
        *,
        weights: str | Path | None,
        vgg: VGG = "vgg16",
        layers: Sequence[str] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
        layer_weights: Sequence[float] | Literal["learned"] | None = None,
        distance: Distance = "l1",
        input_range: tuple[float, float] = (-1.0, 1.0),
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            weights=None if weights is None else str(weights),
            vgg=vgg,
            layers=tuple(layers),
            layer_weights=layer_weights,
            distance=distance,
            input_range=tuple(input_range),
            reduction=reduction,
        )
        check_choice("vgg", vgg, VGG)
        check_choice("distance", distance, Distance)
        check_input_range(input_range)
        if layer_weights is not None and layer_weights != "learned":
            if len(layer_weights) != len(layers):
                raise ValueError(f"layer_weights must hold {len(layers)}, one per layer; got {len(layer_weights)}")
            for weight in layer_weights:
                check_number("layer_weights", weight, at_least=0)
        # In a tuple, where nn.Module does not find it: a frozen network belongs in no checkpoint and no optimizer.
        self._features = (_VGGFeatures(vgg, weights, self.layers),)
        if layer_weights == "learned":
            self.log_variances = nn.Parameter(torch.zeros(len(layers), dtype=stored_dtype()))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two batches of pictures.

        Args:
            input: pictures, N x 3 x H x W, or N x 1 x H x W, taken as gray. Their sides must be at least 2 to the
                number of poolings before the last layer: 8 for ``relu4_3``.
            target: true pictures, same shape.

        Returns:
            A scalar >= 0 (N with reduction ``none``) in at least float32. No pictures give 0.

        Raises:
            TypeError: a picture is no tensor.
            ValueError: shapes differ or do not fit.
        """
        check_tensor("input", input)
        check_tensor("target", target)
        check_same_shape(input, target)
        truth = self._look(target.detach())
        seen = self._look(input)
        if self.layer_weights != "learned":
            return perceptual_loss(
                seen, truth, layer_weights=self.layer_weights, distance=self.distance, reduction=self.reduction
            )
        distances = torch.stack([_distance(f, g, self.distance) for f, g in zip(seen, truth, strict=True)], dim=1)
        log_variances = at_least_float32(self.log_variances).clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
        return reduce((torch.exp(-log_variances) * distances + log_variances).sum(1), self.reduction)

    @full_precision
    def _look(self, pictures: Tensor) -> list[Tensor]:
        """The features of pictures in ``input_range``."""
        (features,) = self._features
        if pictures.dim() != 4 or pictures.shape[1] not in (1, 3) or min(pictures.shape[2:]) < features.stride:
            raise ValueError(
                "pictures must have the shape N x 3 x H x W or N x 1 x H x W with sides of at least "
                f"{features.stride}; got {tuple(pictures.shape)}"
            )
        black, white = self.input_range
        seen: list[Tensor] = features((pictures - black) / (white - black))
        return seen

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._features[0]._apply(without_rounding(fn))
        return super()._apply(fn, recurse)


class _VGGFeatures(nn.Module):
    """The frozen convolutions of a VGG up to the last of ``layers``; returns the outputs of all of these."""

    mean: Tensor
    std: Tensor

    def __init__(self, vgg: VGG, weights: str | Path | None, layers: Sequence[str]) -> None:
        import torchvision  # here: losses depends on torch alone until a VGG is asked for

        super().__init__()
        with torch.device("meta"):  # the classifier, nine tenths of the weights, is never allocated
            convolutions = torchvision.models.get_model(vgg, weights=None, init_weights=False).features
            convolutions.to(stored_dtype())
        places = _relu_places(convolutions)
        unknown = [layer for layer in layers if layer not in places]
        if unknown or not layers:
            raise ValueError(f"layers must be among {', '.join(places)} in {vgg}; got {', '.join(unknown) or 'none'}")
        self.taps = [places[layer] for layer in layers]
        self.stride = 2 ** (int(max(layers, key=places.__getitem__)[4]) - 1)
        self.convolutions = convolutions[: max(self.taps) + 1].to_empty(device="cpu")
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        if weights is None:
            for layer in self.convolutions.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.reset_parameters()
        else:
            state, entry = trained_weights(vgg, weights)
            if entry is not None:
                mean, std = entry.transforms().mean, entry.transforms().std
            self._load(state, vgg, str(weights))
        self.register_buffer("mean", torch.tensor(mean, dtype=stored_dtype()).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=stored_dtype()).view(3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the features of images in [0, 1], in the order of ``layers``."""
        x = (pictures.to(self.mean.dtype) - self.mean) / self.std  # a gray picture becomes three equal channels
        seen = {}
        for place, layer in enumerate(self.convolutions):
            x = layer(x)
            if place in self.taps:
                seen[place] = x
        return [seen[place] for place in self.taps]

    def _load(self, state: Mapping[str, Tensor], vgg: str, source: str) -> None:
        state = {name.removeprefix("features."): tensor for name, tensor in state.items()}
        end = len(self.convolutions)
        state = {name: tensor for name, tensor in state.items() if name.split(".")[0] in map(str, range(end))}
        try:
            self.convolutions.load_state_dict(state)
        except RuntimeError:
            raise ValueError(f"weights {source} are not those of {vgg}: names or shapes differ") from None


def _relu_places(convolutions: nn.Module) -> dict[str, int]:
    """Where the ReLUs are in torchvision's list, by their name in the literature."""
    places, block, number = {}, 1, 1
    for place, layer in enumerate(convolutions.children()):
        if isinstance(layer, nn.ReLU):
            places[f"relu{block}_{number}"] = place
            number += 1
        elif isinstance(layer, nn.MaxPool2d):
            block, number = block + 1, 1
    return places


def _distance(f: Tensor, g: Tensor, distance: Distance) -> Tensor:
    """The mean distance of two layers' features for each sample, N."""
    check_same_shape(f, g, "features of input and target")
    difference = (at_least_float32(f) - at_least_float32(g)).unsqueeze(-1).flatten(1)
    each = difference.abs() if distance == "l1" else difference.square()
    return each.sum(1) / max(each.shape[1], 1)
