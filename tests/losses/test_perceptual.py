import copy
import math
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.testing import assert_close

from losses import PerceptualLoss, perceptual_loss

LAYERS = ("relu1_2", "relu2_1")


@pytest.fixture
def pictures() -> tuple[Tensor, Tensor]:
    return torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 3, 8, 8) * 2 - 1


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file with a VGG's first convolutions."""
    torch.manual_seed(1)
    convolutions = torchvision.models.vgg16(weights=None, init_weights=False).features[:8]
    torch.save({f"features.{name}": tensor for name, tensor in convolutions.state_dict().items()}, tmp_path / "vgg.pth")
    return tmp_path / "vgg.pth"


def convolutions_of(loss: PerceptualLoss) -> nn.Module:
    return loss._features[0].convolutions


def by_definition(x: Tensor, y: Tensor, weights: Path, layers: dict[int, float]) -> Tensor:
    """Layer by layer through torchvision's network, with torchvision's normalization."""
    network = torchvision.models.vgg16(weights=None, init_weights=False).features
    network.load_state_dict(
        {name.removeprefix("features."): tensor for name, tensor in torch.load(weights).items()}, strict=False
    )
    normalize = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (normalize.mean, normalize.std))
    total = torch.zeros(len(x))
    f, g = (((picture + 1) / 2 - mean) / std for picture in (x, y))
    for place, layer in enumerate(network[: max(layers) + 1]):
        f, g = layer(f), layer(g)
        if place in layers:
            total = total + layers[place] * (f - g).abs().mean((1, 2, 3))
    return total


def test_by_definition(pictures: tuple[Tensor, Tensor], weights: Path) -> None:
    """relu1_2 is the fourth module of torchvision's list and relu2_1 the seventh: the fifth is a pooling."""
    loss = PerceptualLoss(weights=weights, layers=LAYERS, layer_weights=[0.5, 2.0], reduction="none")
    with torch.no_grad():
        expected = by_definition(*pictures, weights, {3: 0.5, 6: 2.0})
    assert_close(loss(*pictures), expected)


@pytest.mark.parametrize(
    ("vgg", "places"),
    [
        ("vgg16", {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29}),
        ("vgg19", {"relu1_1": 1, "relu2_2": 8, "relu3_4": 17, "relu4_4": 26, "relu5_4": 35}),
    ],
)
def test_every_relu_has_its_place(vgg: Any, places: dict[str, int]) -> None:
    """The module after each of these is a pooling, or in vgg19's first the second convolution."""
    loss = PerceptualLoss(weights=None, vgg=vgg, layers=list(places))
    assert loss._features[0].taps == list(places.values())
    assert all(isinstance(convolutions_of(loss)[place], nn.ReLU) for place in places.values())


def test_each_picture_goes_through_the_network_once(pictures: tuple[Tensor, Tensor]) -> None:
    loss = PerceptualLoss(weights=None, layers=("relu1_1", "relu1_2", "relu2_1", "relu2_2"))
    calls: list[int] = []
    convolutions_of(loss)[0].register_forward_hook(lambda *_: calls.append(1))
    loss(*pictures)
    assert len(calls) == 2  # the prediction and the target


def test_the_network_is_frozen_hidden_and_moves_along(pictures: tuple[Tensor, Tensor]) -> None:
    model = nn.Module()
    model.loss = PerceptualLoss(weights=None, layers=LAYERS)
    assert list(model.parameters()) == []
    assert model.state_dict() == {}
    model.train()
    assert not convolutions_of(model.loss).training
    assert not any(parameter.requires_grad for parameter in convolutions_of(model.loss).parameters())
    assert next(convolutions_of(model.double().loss).parameters()).dtype == torch.float64
    assert next(convolutions_of(model.half().loss).parameters()).dtype == torch.float64  # weights are not rounded
    assert_close(copy.deepcopy(model.loss)(*pictures), model.loss(*pictures))
    assert next(convolutions_of(model.to("meta").loss).parameters()).device.type == "meta"


def test_the_gradient_reaches_the_prediction_alone(pictures: tuple[Tensor, Tensor]) -> None:
    x, y = (picture.requires_grad_() for picture in pictures)
    PerceptualLoss(weights=None, layers=LAYERS)(x, y).backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert y.grad is None


def test_ranges_and_gray_pictures(pictures: tuple[Tensor, Tensor], weights: Path) -> None:
    loss = PerceptualLoss(weights=weights, layers=LAYERS)
    for input_range, scale in ((0.0, 1.0), 0.5), ((0.0, 255.0), 127.5):
        other = PerceptualLoss(weights=weights, layers=LAYERS, input_range=input_range)
        assert_close(other(*((picture + 1) * scale for picture in pictures)), loss(*pictures), rtol=1e-4, atol=1e-6)
    gray = [picture[:, :1] for picture in pictures]
    assert_close(loss(*gray), loss(*(picture.expand(-1, 3, -1, -1) for picture in gray)))


def test_learned_weights_settle_at_the_layers_sizes_and_do_not_collapse(pictures: tuple[Tensor, Tensor]) -> None:
    """exp(-s) L + s is least at s = log L: each layer then weighs 1 / L."""
    loss = PerceptualLoss(weights=None, layers=LAYERS, layer_weights="learned")
    assert [name for name, _ in loss.named_parameters()] == ["log_variances"]
    fixed = [PerceptualLoss(weights=None, layers=LAYERS, layer_weights=weights) for weights in ([1, 0], [0, 1])]
    for other in fixed:
        other._features = loss._features
    sizes = torch.tensor([other(*pictures).item() for other in fixed])
    with torch.no_grad():
        loss.log_variances.copy_(sizes.log())
    value = loss(*pictures)
    value.backward()
    assert value.item() == pytest.approx((1 + sizes.log()).sum().item(), rel=1e-4)
    assert loss.log_variances.grad is not None
    assert_close(loss.log_variances.grad, torch.zeros(2), rtol=0, atol=1e-4)


def test_torchvisions_names_load_what_torchvision_has_downloaded(
    pictures: tuple[Tensor, Tensor], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    downloads = tmp_path / "checkpoints"
    downloads.mkdir()
    entry = torchvision.models.VGG16_Weights.IMAGENET1K_V1
    weights.rename(downloads / Path(entry.url).name)
    loss = PerceptualLoss(weights="IMAGENET1K_V1", layers=LAYERS)
    assert_close(loss(*pictures), PerceptualLoss(weights=downloads / Path(entry.url).name, layers=LAYERS)(*pictures))

    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(OSError, match=r"weights IMAGENET1K_FEATURES could not be downloaded .*pass the path of a file"):
        PerceptualLoss(weights="IMAGENET1K_FEATURES", layers=LAYERS)


def test_weights_trained_with_another_normalization_bring_it_along(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    entry = torchvision.models.VGG16_Weights.IMAGENET1K_FEATURES
    weights.rename(tmp_path / "checkpoints" / Path(entry.url).name)
    loss = PerceptualLoss(weights="IMAGENET1K_FEATURES", layers=LAYERS)
    assert_close(loss._features[0].std.flatten(), torch.full((3,), 1 / 255))


def test_bad_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"weights must be a file or one of IMAGENET1K_V1.*; there is no IMAGENET"
    ):
        PerceptualLoss(weights="IMAGENET")
    with pytest.raises(ValueError, match="are not those of vgg16: names or shapes differ"):
        PerceptualLoss(weights=weights, layers=["relu3_3"])  # the file ends before
    text = tmp_path / "text.pth"
    text.write_text("not weights")
    with pytest.raises(ValueError, match=r"text\.pth are not a file written by torch.save"):
        PerceptualLoss(weights=text)
    torch.save([1], text)
    with pytest.raises(ValueError, match=r"text\.pth must hold a state_dict; got list"):
        PerceptualLoss(weights=text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["relu1_3"]}, r"layers must be among relu1_1, relu1_2, .*, relu5_3 in vgg16; got relu1_3"),
        ({"layers": []}, "got none"),
        ({"vgg": "vgg11"}, "vgg must be one of vgg16, vgg19; got 'vgg11'"),
        ({"distance": "l2"}, "distance must be one of l1, mse; got 'l2'"),
        ({"layer_weights": [1.0]}, "layer_weights must hold 4, one per layer; got 1"),
        ({"layer_weights": [1.0, -1.0, 1.0, 1.0]}, "layer_weights must be a finite number at least 0; got -1"),
        ({"input_range": (1.0, 0.0)}, "input_range must be two numbers"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PerceptualLoss(weights=None, **options)


@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (3, 8, 8), (2, 3, 1, 8)])
def test_bad_pictures_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pictures must have the shape N x 3 x H x W .* sides of at least 2; got"):
        PerceptualLoss(weights=None, layers=LAYERS)(torch.zeros(shape), torch.zeros(shape))


def test_features_of_any_network() -> None:
    f, g = [torch.ones(2, 3, 4), torch.zeros(2, 5)], [torch.zeros(2, 3, 4), torch.full((2, 5), 3.0)]
    assert_close(perceptual_loss(f, g, layer_weights=[0.5, 2]), torch.tensor(0.5 + 6))
    assert_close(perceptual_loss(f, g, distance="mse", reduction="sum"), torch.tensor(2 * (1.0 + 9)))
    assert math.isclose(perceptual_loss(f, f).item(), 0)
    with pytest.raises(ValueError, match="one entry per layer, at least one; got 2, 1 and 2"):
        perceptual_loss(f, g[:1])
    with pytest.raises(ValueError, match="features of input and target must have the same shape"):
        perceptual_loss(f, f[::-1])


def test_a_recipe_builds_the_same_loss_again() -> None:
    loss = PerceptualLoss(weights=None, vgg="vgg19", layers=["relu1_1"], layer_weights=[0.5], distance="mse")
    recipe = loss.recipe()
    assert recipe["class_path"] == "losses.perceptual.PerceptualLoss"
    again = PerceptualLoss(**recipe["init_args"])
    assert again.recipe() == recipe
    assert (again.vgg, again.layers, again.layer_weights, again.distance) == ("vgg19", ("relu1_1",), [0.5], "mse")
