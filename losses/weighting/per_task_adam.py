"""The optimiser of weightings that learn."""

import torch
from torch import Tensor, nn

from losses.convention import check_number, stored_dtype


class PerTaskAdam(nn.Module):
    """Adam (Kingma and Ba 2015) on one number per task, which leaves tasks alone that are absent, moments and all.

    Args:
        count: how many tasks.
        lr: learning rate > 0.
        betas: decay of the moments, in [0, 1).
        eps: added to the root of the second moment.

    Raises:
        ValueError: ``lr`` is not above 0.
    """

    first: Tensor
    second: Tensor
    steps: Tensor

    def __init__(self, count: int, *, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        super().__init__()
        check_number("lr", lr, above=0)
        self.lr = lr
        self.betas = betas
        self.eps = eps
        for name in ("first", "second", "steps"):
            self.register_buffer(name, torch.zeros(count, dtype=stored_dtype()))

    def forward(self, values: Tensor, gradient: Tensor, present: Tensor) -> Tensor:
        """Give the values after one step of the tasks that are present.

        Args:
            values: one per task.
            gradient: one per task; whatever it is for absent ones.
            present: boolean, one per task.
        """
        beta1, beta2 = self.betas
        gradient = torch.where(present, gradient, 0)
        first = beta1 * self.first + (1 - beta1) * gradient
        second = beta2 * self.second + (1 - beta2) * gradient.square()
        steps = self.steps + 1
        update = self.lr * (first / (1 - beta1**steps)) / ((second / (1 - beta2**steps)).sqrt() + self.eps)
        for state, new in (self.first, first), (self.second, second), (self.steps, steps):
            state.copy_(torch.where(present, new, state))
        return torch.where(present, values - update, values)
