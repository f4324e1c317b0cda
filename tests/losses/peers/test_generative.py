"""The VAE's loss against torch.distributions, and the perceptual loss against torchvision's feature extractor."""

import math
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms.functional import normalize

import losses
from tests.losses.peers.agreement import assert_agree, trained


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "mse"])
def test_vae_of_torch_distributions(likelihood: str) -> None:
    """Without its constant, and twice, a Gaussian's log-likelihood is the squared error."""
    target = torch.randint(2, (5, 3, 2)).double()

    def theirs(input: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        if likelihood == "bernoulli":
            surprise = -Bernoulli(logits=input).log_prob(target)
        else:
            surprise = -Normal(input, 1.0).log_prob(target)
        if likelihood == "mse":
            surprise = 2 * surprise - math.log(2 * math.pi)
        posterior, prior = Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)
        return (surprise.sum((1, 2)) + 4.0 * kl_divergence(posterior, prior).sum(1)).mean()

    assert_agree(
        lambda x, mean, log_variance: losses.vae_loss(x, target, mean, log_variance, likelihood=likelihood, beta=4.0)[
            0
        ],
        theirs,
        trained(5, 3, 2),
        trained(5, 4),
        trained(5, 4),
    )


@pytest.mark.slow
@pytest.mark.parametrize("distance", ["l1", "mse"])
@pytest.mark.parametrize(
    ("vgg", "nodes"),
    [
        ("vgg16", {"3": "relu1_2", "8": "relu2_2", "15": "relu3_3"}),
        ("vgg19", {"1": "relu1_1", "11": "relu3_1", "17": "relu3_4", "20": "relu4_1"}),
    ],
)
def test_perceptual_loss_of_torchvision(vgg: str, nodes: dict[str, str], distance: str, tmp_path: Path) -> None:
    with torch.device("meta"):  # most of a VGG is the classifier, which takes no part
        features = torchvision.models.get_model(vgg, weights=None, init_weights=False).features
    features = features[: max(map(int, nodes)) + 1].to_empty(device="cpu")
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            layer.reset_parameters()
    torch.save({f"features.{name}": tensor for name, tensor in features.state_dict().items()}, tmp_path / "vgg.pth")
    extract = create_feature_extractor(features.double(), nodes)
    weights = [0.5 * (place + 1) for place in range(len(nodes))]

    def look(pictures: Tensor) -> dict[str, Tensor]:
        return extract(normalize((pictures + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))

    def theirs(input: Tensor, target: Tensor) -> Tensor:
        each = F.l1_loss if distance == "l1" else F.mse_loss
        seen, truth = look(input), look(target)
        return sum(
            (weight * each(seen[layer], truth[layer]) for weight, layer in zip(weights, seen, strict=True)),
            start=torch.zeros(()),
        )

    ours = losses.PerceptualLoss(
        weights=tmp_path / "vgg.pth", vgg=vgg, layers=list(nodes.values()), layer_weights=weights, distance=distance
    ).double()
    assert_agree(ours, theirs, trained(2, 3, 16, 16), torch.rand(2, 3, 16, 16, dtype=torch.float64))
