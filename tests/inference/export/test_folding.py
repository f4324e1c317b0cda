import torch
from torch import nn
from torch.nn import functional as F

from inference.export.folding import fold_batch_norm, with_instance_norm
from tests.inference.export.networks import Small, trained


def test_convolutions_take_over_the_norms_that_follow_them() -> None:
    network, pictures = trained(Small(), 2).double(), torch.randn(3, 2, 8, 12, dtype=torch.float64)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    folded = fold_batch_norm(network, pictures[:1])

    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == 1  # the one after an activation
    torch.testing.assert_close(folded(pictures), network(pictures), rtol=0, atol=1e-12)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_activations_inside_of_a_norm_stay() -> None:
    """timm's norms have them."""

    class NormAct(nn.BatchNorm2d):
        def __init__(self, channels: int) -> None:
            super().__init__(channels)
            self.drop, self.act = nn.Identity(), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.drop(super().forward(x)))

    network = trained(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), NormAct(3)), 2)
    pictures = torch.randn(2, 2, 6, 6)
    folded = fold_batch_norm(network, pictures)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(pictures), network(pictures), rtol=0, atol=1e-6)
    assert (folded(pictures) >= 0).all()


def test_instance_norm_takes_each_pictures_statistics_and_the_norms_weights() -> None:
    network = trained(nn.Sequential(nn.BatchNorm2d(2)), 2)
    norm, pictures = network[0], torch.randn(3, 2, 8, 8)
    instance = with_instance_norm(network)
    expected = F.instance_norm(pictures, weight=norm.weight, bias=norm.bias)
    torch.testing.assert_close(instance(pictures), expected)
    torch.testing.assert_close(instance(pictures), torch.cat([instance(each) for each in pictures.split(1)]))
    assert isinstance(network[0], nn.BatchNorm2d)
