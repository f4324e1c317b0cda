import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from pix2pix.ablation.kernel_distance import kernel_distance


def test_two_pairs_by_hand() -> None:
    """Of 0, 1 and 1, 2: k(0, 1) = 1 and k(1, 2) = 27 within, and 1, 1, 8, 27 across."""
    one, other = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
    assert kernel_distance(one, other) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


def test_it_is_torchmetrics() -> None:
    one, other = torch.rand(20, 7, dtype=torch.float64), torch.rand(20, 7, dtype=torch.float64) + 0.1
    assert kernel_distance(one, other) == pytest.approx(float(poly_mmd(one, other)), rel=1e-9)


def test_it_is_0_on_average_for_samples_of_one_distribution_whatever_their_sizes() -> None:
    distances = torch.tensor([kernel_distance(torch.randn(5, 3), torch.randn(11, 3)) for _ in range(2000)])
    assert distances.min() < 0
    assert distances.mean().abs() < 3 * distances.std() / len(distances) ** 0.5
    apart = torch.tensor([kernel_distance(torch.randn(5, 3), torch.randn(11, 3) + 1) for _ in range(200)])
    assert apart.mean() > 1


def test_the_digits_of_float32_are_kept() -> None:
    """Features far from 0: the three terms are near 1e6, and differ by what the digits of float32 lose."""
    one, other = torch.rand(30, 50) / 100 + 10, torch.rand(30, 50) / 100 + 10
    expected = float(poly_mmd(one.double(), other.double()))
    assert kernel_distance(one, other) == pytest.approx(expected, rel=1e-6)
    assert float(poly_mmd(one, other)) != pytest.approx(expected, rel=0.1)


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^features must be .* of at least 2 each; got \(1, 3\) and \(4, 3\)$"):
        kernel_distance(torch.zeros(1, 3), torch.zeros(4, 3))
