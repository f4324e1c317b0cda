"""A trained model of several tasks as a graph for other runtimes and programs."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from inference.export import Graph
from multitask.module import MultiTask


class Heads(nn.Module):
    """A model as a network from pictures to tensors: all that its heads predict.

    A tensor has the name of its task; those of a task that predicts several, as ``Detection``, are TASK.FIELD.

    Attributes:
        names: of the tensors.

    Args:
        model: in evaluation mode; it is not copied.

    Raises:
        ValueError: a task predicts something else than tensors and named tuples of them.
    """

    def __init__(self, model: MultiTask) -> None:
        super().__init__()
        self.model = model
        side = model.encoder.stride
        with torch.no_grad():
            self._examples = model.predict_padded(torch.zeros(1, 3, side, side, device=model.device))
        self.names = tuple(self._tensors(self._examples))

    def _tensors(self, predictions: Mapping[str, Any]) -> dict[str, Tensor]:
        tensors = {}
        for name, prediction in predictions.items():
            if isinstance(prediction, Tensor):
                tensors[name] = prediction
            elif hasattr(prediction, "_asdict"):
                fields = prediction._asdict().items()
                tensors |= {f"{name}.{field}": value for field, value in fields if isinstance(value, Tensor)}
            else:
                raise ValueError(f"task {name} predicts {type(prediction).__name__}, which no graph can return")
        return tensors

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Predict N x 3 x H x W in [0, 1], where H and W are multiples of the encoder's stride."""
        return tuple(self._tensors(self.model.predict_padded(pictures)).values())

    def predictions(self, outputs: Tensor | Sequence[Tensor]) -> dict[str, Any]:
        """Return what the heads predicted, of the tensors that a graph returned."""
        tensors = dict(zip(self.names, [outputs] if isinstance(outputs, Tensor) else outputs, strict=True))
        predictions = {}
        for name, example in self._examples.items():
            if isinstance(example, Tensor):
                predictions[name] = tensors[name]
            else:
                own = {field: tensors[f"{name}.{field}"] for field in example._fields if f"{name}.{field}" in tensors}
                predictions[name] = example._replace(**own)
        return predictions

    def graph(self) -> Graph:
        """Return the graph."""
        stride = self.model.encoder.stride
        return Graph(self, 3, stride, stride, self.names)
