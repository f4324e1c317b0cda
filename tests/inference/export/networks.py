"""Small networks for exports, with statistics that training would leave."""

import torch
from torch import Tensor, nn

from inference.export import Graph


class Small(nn.Module):
    """Half the size and back, with a batch norm after each kind of convolution, and one that follows none."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, 4, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1)
        self.last = nn.BatchNorm2d(3)
        self.alone = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.down(x)))
        return torch.tanh(self.alone(torch.relu(self.last(self.up(x)))))


def trained(network: nn.Module, channels: int, side: int = 16) -> nn.Module:
    """Give batch norms statistics and weights that are not those of the start."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias)
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.randn(4, channels, side, side) + 0.3)
    return network.eval()


def small_graph() -> Graph:
    return Graph(trained(Small(), 2), 2, 2, 2, ("output",))
