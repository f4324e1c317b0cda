"""How hard the GAN loss pulls at G's output beside the other terms."""

from collections.abc import Mapping

import torch
from torch import Tensor

from losses import at_least_float32
from pix2pix.objective import GAN


def gan_share(
    losses: Mapping[str, Tensor], views: Mapping[str, Tensor], weights: Mapping[str, Tensor | float]
) -> Tensor:
    r"""Return the GAN loss's share of the gradients at G's output.

    .. math:: \frac{\lVert \nabla_y w_{gan} L_{gan} \rVert_2}
              {\lVert \nabla_y w_{gan} L_{gan} \rVert_2 + \lVert \nabla_y \sum_{i \ne gan} w_i L_i \rVert_2}

    Nothing but the views is differentiated: no parameter gets a gradient, and the graph stays for the backward pass.

    Args:
        losses: of G, with the GAN loss among them; scalars with a graph, all with one scale.
        views: of G's output, N x C x H x W, that each of them was computed from.
        weights: w of each.

    Returns:
        A scalar in [0, 1] without a graph; NaN if neither pulls, or a gradient is not finite.
    """
    gan = weights[GAN] * _norm([losses[GAN]], [views[GAN]])  # a large weight within could overflow in fp16
    others = [name for name in losses if name != GAN]
    rest = _norm([weights[name] * losses[name] for name in others], [views[name] for name in others])
    return torch.where((gan + rest).isfinite(), gan / (gan + rest), torch.nan)


def _norm(losses: list[Tensor], views: list[Tensor]) -> Tensor:
    seen = list({id(view): view for view in views}.values())  # one, unless a weighting has its own
    gradients = torch.autograd.grad(torch.stack(losses).sum(), seen, retain_graph=True)
    return torch.linalg.vector_norm(at_least_float32(sum(gradients)))  # type: ignore[arg-type]  # never empty
