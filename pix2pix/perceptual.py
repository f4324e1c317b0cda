"""A perceptual loss whose network comes in a package: nothing is downloaded."""

from collections.abc import Callable, Sequence
from typing import Self

from torch import Tensor

from inference.lite0 import STRIDES, Lite0Features
from losses import perceptual_loss
from losses.convention import (
    Loss,
    Reduction,
    check_choice,
    check_input_range,
    check_same_shape,
    check_tensor,
    full_precision,
    without_rounding,
)
from losses.perceptual import Distance


class Lite0PerceptualLoss(Loss):
    r"""Distance of pictures in the layers of EfficientNet-Lite0, :math:`\sum_s \mathrm{mean}|\phi_s(x) - \phi_s(y)|`.

    The idea is that of ``losses.PerceptualLoss``; the network, trained on ImageNet, is 20 times smaller than a VGG, and
    its weights come with the extra ``pretrained``. It stays frozen, in evaluation mode, and out of ``parameters()``,
    ``state_dict()`` and checkpoints, but moves with ``.to()``. It computes in at least float32.

    Args:
        strides: :math:`s`, those of the layers to compare: of 2, 4, 8, 16 and 32. Fine ones respond to edges and
            colors, coarse ones to what is shown.
        distance: ``l1`` or ``mse``, in the layers.
        input_range: black and white in the pictures: (-1, 1) as in pix2pix, (0, 1) or (0, 255).
        reduction: ``none``, ``mean`` or ``sum`` over the pictures.

    Raises:
        ValueError: an option outside its range.
        ModuleNotFoundError: timm or the package with the weights is not installed.
    """

    strides: tuple[int, ...]
    distance: Distance
    input_range: tuple[float, float]

    def __init__(
        self,
        *,
        strides: Sequence[int] = (2, 4, 8, 16),
        distance: Distance = "l1",
        input_range: tuple[float, float] = (-1.0, 1.0),
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(strides=tuple(strides), distance=distance, input_range=tuple(input_range), reduction=reduction)
        if not strides or not set(strides) <= STRIDES.keys() or len(set(strides)) < len(strides):
            raise ValueError(f"strides must be of {', '.join(map(str, STRIDES))}, each once; got {list(strides)}")
        check_choice("distance", distance, Distance)
        check_input_range(input_range)
        self._features = Lite0Features()

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two batches of pictures.

        Args:
            input: pictures, N x 3 x H x W, or N x 1 x H x W, taken as gray.
            target: true pictures, same shape.

        Returns:
            A scalar >= 0 (N with reduction ``none``) in at least float32.

        Raises:
            TypeError: a picture is no tensor.
            ValueError: shapes differ or do not fit.
        """
        check_tensor("input", input)
        check_tensor("target", target)
        check_same_shape(input, target)
        truth = self._look(target.detach())
        return perceptual_loss(self._look(input), truth, distance=self.distance, reduction=self.reduction)

    @full_precision
    def _look(self, pictures: Tensor) -> list[Tensor]:
        if pictures.dim() != 4 or pictures.shape[1] not in (1, 3):
            raise ValueError(f"pictures must have the shape N x 3 or 1 x H x W; got {tuple(pictures.shape)}")
        black, white = self.input_range
        return self._features.maps((pictures - black) / (white - black), self.strides)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._features.move(without_rounding(fn))
        return super()._apply(fn, recurse)
