"""ResNets of torchvision."""

from typing import Literal, get_args

from torch import Tensor, nn

from losses.pretrained import trained_weights
from multitask.encoders.encoder import Encoder, Normalize
from multitask.encoders.pretrained import OutputStride, check_output_stride, dilate, load_weights

ResNet = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


class ResNetEncoder(Encoder):
    """A ResNet of torchvision without its classifier, dilated so that its features stay fine.

    Pictures in [0, 1] are normalized first with the mean and standard deviation of ImageNet, as torchvision's weights
    know them.

    Args:
        name: resnet18, resnet34, resnet50, resnet101 or resnet152.
        weights: None starts from scratch; one of torchvision's names, such as IMAGENET1K_V2, downloads; the path of a
            file holds a state_dict of this network, with or without its classifier.
        output_stride: 8, 16 or 32: the last blocks are dilated instead of strided (Chen et al. 2017). Smaller is finer
            and slower.

    Raises:
        ValueError: an unknown network or stride, or a file with another network's weights.
        OSError: the weights cannot be read or downloaded.
    """

    def __init__(
        self,
        name: ResNet = "resnet50",
        weights: str | None = None,
        output_stride: OutputStride = 8,
    ) -> None:
        import torchvision

        if name not in get_args(ResNet):
            raise ValueError(f"name must be one of {', '.join(get_args(ResNet))}; got {name!r}")
        check_output_stride(output_stride)
        network = torchvision.models.get_model(name, weights=None)
        super().__init__(network.fc.in_features, output_stride)
        network.fc = nn.Identity()
        if weights is not None:
            state, _ = trained_weights(name, weights)
            features = {key: tensor for key, tensor in state.items() if not key.startswith("fc.")}
            load_weights(network, features, name, weights)
        if output_stride <= 16:
            dilate(network.layer4, 32 // output_stride)
        if output_stride == 8:
            dilate(network.layer3, 2)
        self.normalize = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.layers = nn.Sequential(network.layer1, network.layer2, network.layer3, network.layer4)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features of pictures N x 3 x H x W in [0, 1]."""
        features: Tensor = self.layers(self.stem(self.normalize(images)))
        return features
