"""How hard the GAN loss pulls at G's output beside the other terms."""

from collections.abc import Iterable, Mapping

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
    others = [name for name in losses if name != GAN]
    gan, rest = (_norm(names, losses, views, weights) for names in ([GAN], others))
    return torch.where((gan + rest).isfinite(), gan / (gan + rest), torch.nan)


def _norm(
    names: Iterable[str],
    losses: Mapping[str, Tensor],
    views: Mapping[str, Tensor],
    weights: Mapping[str, Tensor | float],
) -> Tensor:
    total = sum(weights[name] * losses[name] for name in names)
    seen = list({id(views[name]): views[name] for name in names}.values())  # one, unless a weighting has its own
    gradients = torch.autograd.grad(total, seen, retain_graph=True)  # type: ignore[arg-type]  # never empty
    return torch.linalg.vector_norm(at_least_float32(sum(gradients)))  # type: ignore[arg-type]
