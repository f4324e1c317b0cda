"""What the discriminator's loss may have beside the GAN loss."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from inference import Network
from losses import LeCamPenalty, gradient_penalty
from losses.adversarial import Predictions, scores_of_scales
from losses.penalties import ScoreReduction

Judge = Callable[[Tensor], Predictions]


class Penalty(Network):
    """Base of what is added to D's loss; one of your own is one class, named in the configuration.

    Args:
        weight: its factor, at least 0.
        every: it is computed in one of so many steps, with so many times the weight; at least 1.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(self, weight: float, every: int = 1) -> None:
        super().__init__()
        if not weight >= 0:
            raise ValueError(f"weight must be at least 0; got {weight}")
        if every < 1:
            raise ValueError(f"every must be at least 1; got {every}")
        self.weight = weight
        self.every = every

    @abstractmethod
    def forward(self, judge: Judge, real: Tensor, fake: Tensor, on_real: Predictions, on_fake: Predictions) -> Tensor:
        """Compute the penalty, a scalar, before its weight.

        Args:
            judge: what D says of pictures N x C x H x W, each beside the input that belongs to it.
            real: targets.
            fake: G's output, without a graph.
            on_real: what D said of the targets in this step, with the graph of its loss.
            on_fake: the same of G's output.
        """


class R1(Penalty):
    r"""Half the squared gradient of D at the targets, :math:`\frac12 \lVert\nabla D(y)\rVert^2` (Mescheder 2018).

    D must have no batch norm, see ``losses.gradient_penalty``.

    Args:
        weight: its factor, at least 0.
        every: it is computed in one of so many steps, with so many times the weight (StyleGAN2's lazy regularization,
            16 there); at least 1.
        scores: what :math:`D(y)` is of a map of scores, their ``mean`` or their ``sum``. The gradient of the sum is
            larger by the number of patches that see a pixel, and its square by the square of that.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(self, weight: float = 1.0, every: int = 1, scores: ScoreReduction = "sum") -> None:
        super().__init__(weight, every)
        self.scores = scores

    def forward(self, judge: Judge, real: Tensor, fake: Tensor, on_real: Predictions, on_fake: Predictions) -> Tensor:
        """Compute the penalty at the targets."""
        return gradient_penalty(judge, real, kind="r1", scores=self.scores, weight=1.0)


class R2(R1):
    r"""As :class:`R1`, but at G's output, :math:`\frac12 \lVert\nabla D(G(x))\rVert^2`; R3GAN takes both (2024)."""

    def forward(self, judge: Judge, real: Tensor, fake: Tensor, on_real: Predictions, on_fake: Predictions) -> Tensor:
        """Compute the penalty at G's output."""
        return gradient_penalty(judge, real, fake, kind="r2", scores=self.scores, weight=1.0)


class LeCam(Penalty):
    """Holds D's scores near the moving averages of the other side's, for few pairs (see ``losses.LeCamPenalty``).

    Args:
        weight: its factor, at least 0; the paper takes 0.3 and less.
        decay: of the moving averages, in [0, 1].
        scales: of the discriminator, each with averages of its own.

    Raises:
        ValueError: an option outside its range; in training: another number of scales.
    """

    def __init__(self, weight: float = 0.3, decay: float = 0.99, scales: int = 1) -> None:
        super().__init__(weight)
        if scales < 1:
            raise ValueError(f"scales must be at least 1; got {scales}")
        self.penalties = nn.ModuleList(LeCamPenalty(decay=decay) for _ in range(scales))

    def forward(self, judge: Judge, real: Tensor, fake: Tensor, on_real: Predictions, on_fake: Predictions) -> Tensor:
        """Compute the mean over the scales, and move the averages."""
        pairs = list(zip(scores_of_scales("on_real", on_real), scores_of_scales("on_fake", on_fake), strict=True))
        if len(pairs) != len(self.penalties):
            raise ValueError(
                f"LeCam: scales must be {len(pairs)}, as many as the discriminator has; got {len(self.penalties)}"
            )
        of_scales = [penalty(*scores) for penalty, scores in zip(self.penalties, pairs, strict=True)]
        return torch.stack(of_scales).mean()
