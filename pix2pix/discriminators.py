"""The discriminators, which score every patch of a picture."""

from abc import abstractmethod
from typing import cast

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from inference import Network
from inference.convolutions import PatchConv2d
from pix2pix.layers import Norm, initialize, needs_bias, normalization, require_channels
from training.recomputation import Layers


class Discriminator(Network):
    """A network that scores pictures (raw, no sigmoid): N x C x H x W -> N x 1 x H' x W', or one such map a scale.

    Args:
        in_channels: channels of its input; with a condition, those of condition and picture together.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Score pictures N x in_channels x H x W in [-1, 1]; a list for several scales, the finest first."""

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """Return for each scale the feature maps of all layers, N x C x h x w; the last are the scores.

        A discriminator of one's own needs it for ``losses.FeatureMatchingLoss`` alone.

        Raises:
            ValueError: it has no feature maps to show.
        """
        raise self._no_features()

    def require_features(self) -> None:
        """Require that it has feature maps to show.

        Raises:
            ValueError: it has none.
        """
        if type(self).features is Discriminator.features:
            raise self._no_features()

    def _no_features(self) -> ValueError:
        return ValueError(f"{type(self).__name__} has no method features, which FeatureMatchingLoss needs")


class PatchDiscriminator(Discriminator):
    """PatchGAN (Isola et al. 2017): one score for each overlapping patch of the picture.

    With C64-... for base_channels 64: C64-C128-C256-C512-score for 3 layers, every convolution 4 x 4; ``layers`` of
    them with stride 2, then two with stride 1. A picture of 256 x 256 gives 30 x 30 scores.

    ====== =================== ==========================================
    layers patch (pixels)      parameters (6 input channels, batch norm)
    ====== =================== ==========================================
    0      1 x 1 (PixelGAN)    9,025
    1      16 x 16             139,585
    2      34 x 34             666,433
    3      70 x 70 (the paper) 2,768,705
    4      142 x 142           6,964,033
    5      286 x 286           11,159,361
    6      574 x 574           15,354,689
    ====== =================== ==========================================

    Args:
        in_channels: channels of what is judged: condition and picture together (3 + 3 for RGB to RGB), or of the
            picture alone for an unconditional discriminator.
        base_channels: channels after the first convolution; they double at each layer up to 8 times this.
        layers: how many convolutions halve the size, 0 to 6; 0 judges each pixel by itself (1 x 1 convolutions).
        norm: normalization after every convolution but the first and the last.
        spectral_norm: divide every convolution's weight by its largest singular value (Miyato et al. 2018).

    Raises:
        ValueError: ``layers`` outside 0 to 6, or an unknown ``norm``.
    """

    def __init__(
        self,
        in_channels: int = 6,
        base_channels: int = 64,
        layers: int = 3,
        norm: Norm = "batch",
        spectral_norm: bool = False,
    ) -> None:
        if not 0 <= layers <= 6:
            raise ValueError(f"layers must be 0 (judges pixels) to 6; got {layers}")
        require_channels(in_channels=in_channels, base_channels=base_channels)
        super().__init__(in_channels)
        self.smallest = 3 * 2**layers if layers else 1
        # (channels, kernel, stride) of every convolution; the first and the last have no norm.
        convolutions = [(base_channels * min(2**layer, 8), 4, 2) for layer in range(layers)]
        convolutions += [(base_channels * min(2**layers, 8), 4, 1), (1, 4, 1)]
        if layers == 0:
            convolutions = [(base_channels, 1, 1), (2 * base_channels, 1, 1), (1, 1, 1)]

        self.layers = Layers()
        before = in_channels
        for index, (width, kernel, stride) in enumerate(convolutions):
            first, last = index == 0, index == len(convolutions) - 1
            bias = first or last or needs_bias(norm)
            if (kernel, stride) == (4, 1):
                self.layers.append(PatchConv2d(before, width, bias))
            else:
                self.layers.append(nn.Conv2d(before, width, kernel, stride, padding=kernel // 3, bias=bias))
            if not first and not last:
                self.layers.append(normalization(norm, width))
            if not last:
                self.layers.append(nn.LeakyReLU(0.2))
            before = width

        initialize(self)
        if spectral_norm:
            for module in self.layers:
                if isinstance(module, nn.Conv2d):
                    with_spectral_norm(module)

    def forward(self, x: Tensor) -> Tensor:
        """Score pictures N x in_channels x H x W in [-1, 1]; H and W are at least 3 * 2**layers (24 for 3 layers).

        Raises:
            ValueError: the picture is too small for its scores to exist.
        """
        self._check(x)
        scores: Tensor = self.layers(x)
        return scores

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """Return the outputs of all activations, and the scores; of one scale."""
        self._check(x)
        seen = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                seen.append(x)
        return [[*seen, x]]

    def _check(self, x: Tensor) -> None:
        if min(x.shape[-2:]) < self.smallest:
            raise ValueError(
                f"PatchDiscriminator: pictures need sides of at least {self.smallest} for its number of layers; "
                f"got {x.shape[-2]} x {x.shape[-1]}: lower `layers` or take larger pictures"
            )


class MultiScaleDiscriminator(Discriminator):
    """PatchGANs for the picture, the picture at half its size, and so on (pix2pixHD, Wang et al. 2018).

    The coarser ones see more of the picture, the finer ones its details. The scales are averages over 3 x 3 pixels
    with stride 2.

    Args:
        in_channels: as of :class:`PatchDiscriminator`.
        base_channels: the same.
        layers: the same.
        norm: the same; pix2pixHD has ``instance``.
        spectral_norm: the same.
        scales: how many, at least 1.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        in_channels: int = 6,
        base_channels: int = 64,
        layers: int = 3,
        norm: Norm = "instance",
        spectral_norm: bool = False,
        scales: int = 3,
    ) -> None:
        if scales < 1:
            raise ValueError(f"scales must be at least 1; got {scales}")
        super().__init__(in_channels)
        self.scales = nn.ModuleList(
            PatchDiscriminator(in_channels, base_channels, layers, norm, spectral_norm) for _ in range(scales)
        )
        self.pool = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Score pictures N x in_channels x H x W in [-1, 1] at every scale, the finest first.

        Raises:
            ValueError: the picture is too small at a scale.
        """
        return [judge(picture) for judge, picture in zip(self.scales, self._pyramid(x), strict=True)]

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """Return for each scale the feature maps of its PatchGAN, and the scores."""
        pairs = zip(self._patch_discriminators(), self._pyramid(x), strict=True)
        return [maps for judge, picture in pairs for maps in judge.features(picture)]

    def _patch_discriminators(self) -> list[PatchDiscriminator]:
        return cast(list[PatchDiscriminator], list(self.scales))

    def _pyramid(self, x: Tensor) -> list[Tensor]:
        pictures = [x]
        for _ in self.scales[1:]:
            pictures.append(self.pool(pictures[-1]))
        return pictures
