"""How a trained network is used: whose statistics batch norm takes, and whether dropout is on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

NormMode = Literal["running", "batch", "instance", "recalibrated"]
Preset = Literal["standard", "paper"]

PASSES = 2  # of a recalibration


@dataclass(frozen=True)
class InferenceMode:
    """How a trained network is used.

    Instance norm is the same in all modes: it takes each picture's own statistics, as in training.

    Args:
        norm: what batch norm normalizes by: ``running``, the average over training that it keeps; ``recalibrated``,
            the statistics of the whole training split instead, measured once; ``instance``, those of each picture by
            itself; or ``batch``, those of whatever batch a picture is in, so that its result depends on the others.
        dropout: whether dropout stays on, as noise. The noise is the same for each picture and at each time.

    Raises:
        ValueError: an unknown ``norm``.
    """

    norm: NormMode = "running"
    dropout: bool = False

    def __post_init__(self) -> None:
        if self.norm not in get_args(NormMode):
            raise ValueError(f"norm must be one of {', '.join(get_args(NormMode))}; got {self.norm!r}")


PRESETS: Mapping[Preset, InferenceMode] = {
    "standard": InferenceMode(),
    # Batch statistics at batch size 1 are those of the picture; said so, they hold for every batch size.
    "paper": InferenceMode("instance", dropout=True),
}


def as_mode(inference: Preset | InferenceMode) -> InferenceMode:
    """Return the mode that a preset's name stands for, or the mode itself.

    Raises:
        ValueError: there is no such preset.
    """
    if isinstance(inference, InferenceMode):
        return inference
    if inference not in PRESETS:
        raise ValueError(f"inference must be one of {', '.join(PRESETS)}, or an InferenceMode; got {inference!r}")
    return PRESETS[inference]


def run(network: nn.Module, pictures: Tensor, mode: InferenceMode, seed: int = 0) -> Tensor:
    """Run a network in a mode.

    Args:
        network: takes a batch of pictures and returns as many. It is left as it was.
        pictures: N x C x H x W.
        mode: the mode. But for norm ``batch`` the result for a picture depends on nothing but the picture.
        seed: of the noise of dropout.
    """
    with in_mode(network, mode):
        if not mode.dropout:
            return network(pictures)
        # A mask has the shape of a batch, so a picture has the same noise only if it is always as many: alone.
        parts = [pictures] if mode.norm == "batch" else pictures.split(1)
        return torch.cat([_with_noise(network, part, seed) for part in parts])


class InMode(nn.Module):
    """A network in a mode, where a network is expected; see :func:`run`.

    Args:
        network: takes a batch of pictures and returns as many.
        mode: the mode.
    """

    def __init__(self, network: nn.Module, mode: InferenceMode) -> None:
        super().__init__()
        self.network = network
        self.mode = mode

    def forward(self, pictures: Tensor) -> Tensor:
        """Run N x C x H x W."""
        return run(self.network, pictures, self.mode)


@contextmanager
def in_mode(network: nn.Module, mode: InferenceMode) -> Iterator[None]:
    """Put a network into a mode, and back as it was, also after an error; nothing that is in its state changes."""
    training = {module: module.training for module in network.modules()}
    replaced: dict[nn.Module, object] = {}  # what was there before, as one mode may be inside of another
    normalize = {"batch": _by_batch, "instance": _by_instance}.get(mode.norm)
    network.eval()
    try:
        for module in training:
            if isinstance(module, _DropoutNd):
                module.training = mode.dropout
            elif isinstance(module, _BatchNorm) and normalize:
                replaced[module] = vars(module).get("forward")
                vars(module)["forward"] = partial(normalize, module)
        yield
    finally:
        for module, was_training in training.items():
            module.training = was_training
        for module, forward in replaced.items():
            vars(module)["forward"] = forward
            if forward is None:
                del vars(module)["forward"]


# Not by the layers' training mode: that would update their running statistics, and let those of several processes wait
# for each other.


def _by_batch(norm: _BatchNorm, x: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)


def _by_instance(norm: _BatchNorm, x: Tensor) -> Tensor:
    return F.instance_norm(x, None, None, norm.weight, norm.bias, use_input_stats=True, eps=norm.eps)


def _with_noise(network: nn.Module, pictures: Tensor, seed: int) -> Tensor:
    """Run a network with a seed of its own; the random numbers of the rest of the program stay as they are."""
    device = pictures.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return network(pictures)


def recalibrate(
    network: nn.Module,
    passes: Callable[[], Iterable[Tensor]],
    dropout: bool = False,
    over_processes: Callable[[Tensor], Tensor] = lambda total: total,
) -> None:
    """Replace the running statistics of batch norm by the mean and variance over all pictures, each counted alike.

    A pass normalizes by the statistics that there are, so that the result depends on no batches, but for rounding. A
    layer's statistics change what the next layers see, so there are two passes; more gain little.

    Args:
        network: whose statistics are replaced.
        passes: begins a pass over all pictures, N x C x H x W at a time.
        dropout: whether dropout is on, as in the mode that the statistics are for.
        over_processes: sums a tensor on the CPU over the processes, where each has a part of the pictures.
    """
    for _ in range(PASSES):
        for norm, sums in _sum_up(network, passes(), dropout).items():
            count, total, squares = over_processes(sums)
            mean = total / count
            assert norm.running_mean is not None and norm.running_var is not None, "it tracks them"
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(squares / count - mean.square())


@torch.no_grad()
def _sum_up(network: nn.Module, batches: Iterable[Tensor], dropout: bool) -> dict[_BatchNorm, Tensor]:
    """Return for each batch norm and channel of its input the number, the sum and the sum of squares, 3 x C."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms}

    def add(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, _BatchNorm)
        x = inputs[0].float()
        moments = torch.var_mean(x, [d for d in range(x.dim()) if d != 1], correction=0)
        variance, mean = (each.cpu().double() for each in moments)  # on the CPU, as some devices have no float64
        sums[norm] += torch.stack([torch.ones_like(mean), mean, variance + mean.square()]) * (x.numel() // x.shape[1])

    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    try:
        for pictures in batches:
            run(network, pictures, InferenceMode(dropout=dropout))
    finally:
        for hook in hooks:
            hook.remove()
    return sums
