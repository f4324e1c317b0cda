"""A model of several tasks as one network, for tiles."""

import torch
from torch import Tensor, nn

from multitask.module import MultiTask


class Maps(nn.Module):
    """A model as a network from pictures N x 3 x H x W to what its tasks predict for each pixel, N x C x H x W.

    The predictions are one after the other in C. If a task predicts something else, they are left out: the network does
    the work, and returns the pictures.

    Attributes:
        channels: of each task that predicts something for each pixel.
        whole: the other tasks.

    Args:
        model: in evaluation mode; it is not copied.
    """

    def __init__(self, model: MultiTask) -> None:
        super().__init__()
        self.model = model
        side = model.encoder.stride
        with torch.no_grad():
            predictions = model(torch.zeros(1, 3, side, side, device=model.device))
        self.channels = {
            name: value.shape[1]
            for name, value in predictions.items()
            if isinstance(value, Tensor) and value.shape[2:] == (side, side)
        }
        self.whole = [name for name in predictions if name not in self.channels]

    def forward(self, pictures: Tensor) -> Tensor:
        """Predict N x 3 x H x W, where H and W are multiples of the encoder's stride."""
        predictions = self.model(pictures)
        return pictures if self.whole else torch.cat(list(predictions.values()), 1)

    def split(self, output: Tensor) -> dict[str, Tensor]:
        """Return the output, N x C x H x W, by the names of the tasks."""
        return dict(zip(self.channels, output.split(list(self.channels.values()), 1), strict=True))
