"""The kernel distance of two sets of pictures: how different their features are distributed."""

from torch import Tensor


def kernel_distance(one: Tensor, other: Tensor) -> float:
    r"""KID (Binkowski et al. 2018), the unbiased estimate of the squared maximum mean discrepancy.

    .. math:: \frac{1}{n(n-1)} \sum_{i \ne j} k(x_i, x_j) + \frac{1}{m(m-1)} \sum_{i \ne j} k(y_i, y_j)
              - \frac{2}{nm} \sum_{i, j} k(x_i, y_j), \quad k(x, y) = (x^T y / d + 1)^3

    It is 0 on average for two samples of one distribution, whatever their sizes, and so below 0 now and then.

    Args:
        one: features of pictures, n x d, n at least 2.
        other: those of other pictures, m x d, m at least 2, independent of the first.

    Raises:
        ValueError: fewer than 2 pictures, or features of other sizes.
    """
    if one.dim() != 2 or other.dim() != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(
            f"features must be n x d and m x d, of at least 2 each; got {tuple(one.shape)} and {tuple(other.shape)}"
        )
    x, y = one.double(), other.double()  # the terms are alike in their first digits, which cancel
    within = sum(_mean_of_others(_kernel(each, each)) for each in (x, y))
    return float(within - 2 * _kernel(x, y).mean())


def _kernel(one: Tensor, other: Tensor) -> Tensor:
    return (one @ other.T / one.shape[1] + 1) ** 3


def _mean_of_others(kernel: Tensor) -> Tensor:
    """The mean of a square matrix without its diagonal, which compares pictures with themselves."""
    count = len(kernel)
    return (kernel.sum() - kernel.trace()) / (count * (count - 1))
