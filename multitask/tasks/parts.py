"""The parts of a task's loss, with the gradient of each in a view of the shared features of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from losses.weighting import Likelihood
from multitask.tasks.task import Task

Features = Tensor | Sequence[Tensor]
Run = Callable[[Any], Mapping[str, Tensor]]


def likelihoods_of(tasks: Mapping[str, Task]) -> dict[str, Likelihood]:
    """Return what is weighted, tasks or their parts, by their names, and what the loss of each is like.

    Raises:
        ValueError: a task has the name of another's part.
    """
    likelihoods: dict[str, Likelihood] = {}
    for name, task in tasks.items():
        own = {f"{name}_{part}": likelihood for part, likelihood in task.parts.items()} or {name: task.likelihood}
        for each in own.keys() & likelihoods.keys():
            raise ValueError(f"{each} is a task, and a part of the loss of another: rename the task")
        likelihoods |= own
    return likelihoods


def apart(run: Run, views: Mapping[str, Features], used: Iterable[nn.Parameter]) -> dict[str, Tensor]:
    """Run a head once, and let each part of its loss send its gradient into its own view.

    Where all views are one, this is calling ``run``. Where they differ, as a weighting wants that looks at the
    gradient of each part, the head is run forward once, and backward once for each part.

    Args:
        run: computes the parts from the features, by their names.
        views: of the same features, by the names of the parts.
        used: the parameters that ``run`` uses, besides the features.
    """
    first, *others = views.values()
    if all(view is first for view in others):
        return dict(run(first))
    single = isinstance(first, Tensor)
    levels = [[view] if isinstance(view, Tensor) else list(view) for view in views.values()]
    parameters = [parameter for parameter in used if parameter.requires_grad]

    def parts(*features: Tensor) -> list[Tensor]:
        found = run(features[0] if single else features)
        return [found[name] for name in views]

    tensors = [level for view in levels for level in view] + parameters
    losses = _Apart.apply(parts, len(views), len(levels[0]), *tensors)
    return dict(zip(views, losses, strict=True))


class _Apart(torch.autograd.Function):
    """Scalars that are computed from one set of features, each differentiated with regard to features of its own."""

    @staticmethod
    def forward(ctx: Any, parts: Callable[..., list[Tensor]], count: int, levels: int, *tensors: Tensor) -> Any:
        ctx.count, ctx.parameters = count, tensors[count * levels :]
        with torch.enable_grad():
            ctx.features = [level.detach().requires_grad_() for level in tensors[:levels]]
            ctx.losses = parts(*ctx.features)
        return tuple(loss.detach() for loss in ctx.losses)

    @staticmethod
    def backward(ctx: Any, *scales: Tensor) -> Any:
        inputs = (*ctx.features, *ctx.parameters)
        of_views: list[Tensor | None] = []
        of_parameters: list[Tensor | None] = [None] * len(ctx.parameters)
        for number, (loss, scale) in enumerate(zip(ctx.losses, scales, strict=True), 1):
            retain = number < ctx.count
            gradients = torch.autograd.grad(loss, inputs, scale, retain_graph=retain, allow_unused=True)
            of_views += gradients[: len(ctx.features)]
            own = gradients[len(ctx.features) :]
            of_parameters = [_sum(total, each) for total, each in zip(of_parameters, own, strict=True)]
        del ctx.losses, ctx.features
        return None, None, None, *of_views, *of_parameters


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
