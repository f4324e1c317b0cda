"""Weights drawn by lot."""

from collections.abc import Iterable

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.base import Weighting


class RandomWeighting(Weighting):
    r"""Random loss weighting, RLW: :math:`w = \mathrm{softmax}(z)`, z normal and new each step (Lin et al. 2022).

    A baseline that a weighting which adapts should beat. The softmax is over the tasks of the batch, so that the sum of
    the weights is 1. All backward passes between two steps of the optimizer have the same numbers.

    The numbers come from a generator of its own, whose state is in the ``state_dict``: a resumed run goes on with the
    ones that the run would have drawn, all processes draw the same, and nothing else that is random changes.

    Args:
        tasks: the names of the tasks.
        seed: of the numbers, a whole number >= 0. Runs that are repeated need one each.

    Raises:
        ValueError: ``seed`` is negative.

    Example:
        >>> weighting = RandomWeighting(["seg", "depth"], seed=1)
        >>> for _ in range(2):
        ...     total = weighting({"seg": torch.tensor(1.0), "depth": torch.tensor(1.0)})
        ...     weighting.step()
        ...     print([round(weight.item(), 2) for weight in weighting.report().values()])
        [0.6, 0.4]
        [0.36, 0.64]
    """

    current: Tensor

    def __init__(self, tasks: Iterable[str], *, seed: int = 0) -> None:
        super().__init__(tasks)
        check_number("seed", seed, at_least=0)
        self._generator = torch.Generator().manual_seed(seed)
        self.register_buffer("current", torch.zeros_like(self._nothing))
        self._draw()

    def get_extra_state(self) -> Tensor:
        """Return the state of the generator."""
        return self._generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Restore what :meth:`get_extra_state` returned."""
        self._generator.set_state(state.cpu())

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(present, self.current, -torch.inf).softmax(0), self._nothing

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        self._draw()

    def _draw(self) -> None:
        drawn = torch.randn(len(self.tasks), generator=self._generator, dtype=torch.float64)
        self.current.copy_(drawn, non_blocking=True)  # does not wait for a device
