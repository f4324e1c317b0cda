"""The geometric mean of the losses."""

from collections.abc import Iterable

import torch
from torch import Tensor

from losses.convention import reads_values
from losses.weighting.base import Weighting


class GeometricMean(Weighting):
    r"""The geometric mean of the losses, :math:`(\prod_i L_i)^{1/n}` (Chennupati et al. 2019), whatever their scales.

    Its gradient is that of a sum with the weights :math:`\bar L / (n L_i)`. All losses must be above 0.

    Args:
        tasks: the names of the tasks.
        validate: whether to look for losses that are not above 0 (on a GPU that waits for it).

    Raises:
        ValueError: when called: a loss that is not above 0.

    Example:
        >>> weighting = GeometricMean(["seg", "depth"])
        >>> weighting({"seg": torch.tensor(2.0), "depth": torch.tensor(8.0)})
        tensor(4.)
        >>> weighting.report()["weight/depth"]  # 4 / (2 * 8)
        tensor(0.2500)
    """

    def __init__(self, tasks: Iterable[str], *, validate: bool = True) -> None:
        super().__init__(tasks)
        self.validate = validate

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        if reads_values(self.validate, losses) and (wrong := present & (losses <= 0)).any():
            values = ", ".join(
                f"{task} {loss:g}"
                for task, loss, is_wrong in zip(self.tasks, losses.tolist(), wrong.tolist(), strict=True)
                if is_wrong
            )
            raise ValueError(f"GeometricMean needs losses above 0, as their product has no gradient at 0; got {values}")
        count = present.sum()
        safe = torch.where(present, losses, 1)
        return (safe.log().sum() / count).exp() / (count * safe), self._nothing
