"""Interpolation along the edges of a picture: what is predicted in few pixels gets the outlines of many."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

EPS = 1e-4  # variance of a color, in [0, 1]: below it a window counts as flat, and predicts its mean
PAIRS = ((0, 1, 2), (1, 3, 4), (2, 4, 5))  # where a symmetric 3 x 3 matrix keeps its elements


class Guide(NamedTuple):
    r"""Pictures, and what a guided filter needs to know of them (He et al. 2013; He and Sun 2015, at low resolution).

    In each window of 3 x 3 predictions the prediction is taken to be linear in the colors I of the picture there,
    :math:`p \approx a^\top I + b`, by least squares:

    .. math:: a = (\operatorname{Var} I + \epsilon)^{-1} \operatorname{Cov}(I, p), \quad b = \bar p - a^\top \bar I

    a and b are interpolated to the size of the picture, and applied to its colors. He et al. first average them over
    the window around each place, which would soften the edges. So a prediction that changes where the colors do changes
    as abruptly as they do, one that does not, as across the tiles of a floor, stays nearly as smooth as it is, and a
    constant one stays constant. It has no parameters; gradients reach the prediction through it (Wu et al. 2018), but
    not the picture.

    Attributes:
        images: N x 3 x H x W.
        low: the same at the size of predictions, N x 3 x h x w.
        mean: of ``low`` in each window.
        inverse: of the windows' covariance and :math:`\epsilon` on its diagonal, N x 6 x h x w, as in ``PAIRS``.
    """

    images: Tensor
    low: Tensor
    mean: Tensor
    inverse: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, images: Tensor, stride: int) -> "Guide":
        """Return the guide for predictions at a stride.

        Args:
            images: N x 3 x H x W in [0, 1]; H and W are multiples of the stride. They are brought to float32 if they
                have fewer bits.
            stride: of the predictions.
        """
        images = _exact(images.detach())
        low = F.avg_pool2d(images, stride)
        mean = _window_mean(low)
        places = [(row, column) for row in range(3) for column in range(row, 3)]
        products = torch.stack([low[:, row] * low[:, column] for row, column in places], 1)
        means = torch.stack([mean[:, row] * mean[:, column] for row, column in places], 1)
        rr, rg, rb, gg, gb, bb = (_window_mean(products) - means).unbind(1)
        rr, gg, bb = rr + EPS, gg + EPS, bb + EPS
        # The inverse of a symmetric matrix from its minors: a graph for another runtime has no solver.
        first, second, third = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
        minors = [first, second, third, rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg]
        determinant = rr * first + rg * second + rb * third
        return cls(images, low, mean, torch.stack(minors, 1) / determinant.unsqueeze(1))

    def upsample(self, prediction: Tensor) -> Tensor:
        """Bring a prediction N x C x h x w to the size of the pictures, N x C x H x W, along their edges."""
        prediction = _exact(prediction)
        size = (self.images.shape[2], self.images.shape[3])
        images, low, mean, inverse = (values.split(1, dim=1) for values in self)
        average = _window_mean(prediction)
        covariances = [_window_mean(color * prediction) - own * average for color, own in zip(low, mean, strict=True)]
        slopes = [
            sum(inverse[place] * covariance for place, covariance in zip(row, covariances, strict=True))
            for row in PAIRS
        ]
        result = interpolate(average - sum(slope * own for slope, own in zip(slopes, mean, strict=True)), size)
        for slope, color in zip(slopes, images, strict=True):
            result = result + interpolate(slope, size) * color
        return result


def interpolate(prediction: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a prediction N x C x h x w to a size, bilinearly."""
    return F.interpolate(prediction, size, mode="bilinear", align_corners=False)


def _window_mean(values: Tensor) -> Tensor:
    """The mean of the 3 x 3 around each place, of those that are inside."""
    return F.avg_pool2d(values, 3, stride=1, padding=1, count_include_pad=False)


def _exact(values: Tensor) -> Tensor:
    """As many bits as differences of nearly equal means need, in one order of memory, which rounds in one way."""
    values = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    return values.contiguous()
