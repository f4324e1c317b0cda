import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from losses import FeatureMatchingLoss, feature_matching_loss

Output = list[list[Tensor]]


def output(seed: int, *, scales: int = 2, layers: int = 3, samples: int = 2) -> Output:
    """What a multi-scale patch discriminator returns: feature maps and last the scores, of each scale."""
    generator = torch.Generator().manual_seed(seed)
    return [
        [
            torch.randn(samples, 2 * layer + 1, size, size, dtype=torch.float64, generator=generator)
            for layer, size in enumerate(range(9 - scale, 9 - scale - layers - 1, -1))
        ]
        for scale in range(scales)
    ]


def test_by_hand() -> None:
    """Layers of 1 and 3, scales of 2 and 4: 3."""
    zero, one = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    fake = [[one, 3 * one, 100 * one], [4 * one, 100 * one]]
    real = [[zero, zero, zero], [zero, zero]]
    assert FeatureMatchingLoss()(fake, real) == 3


def test_pix2pixhds_loss_is_four_times_as_large() -> None:
    """Its code: D_weights = 1 / num_D, feat_weights = 4 / (n_layers_D + 1), for n_layers_D = 3."""
    fake, real = output(0, layers=4), output(1, layers=4)
    total = torch.zeros((), dtype=torch.float64)
    for i in range(2):
        for j in range(len(fake[i]) - 1):
            total += 1 / 2 * 4 / (3 + 1) * torch.nn.L1Loss()(fake[i][j], real[i][j].detach())
    assert_close(FeatureMatchingLoss()(fake, real), total / 4)


def test_each_sample_by_itself() -> None:
    fake, real = output(0), output(1)
    each = feature_matching_loss(fake, real, reduction="none")
    for n in range(2):
        alone = ([[layer[n : n + 1] for layer in scale] for scale in out] for out in (fake, real))
        assert_close(each[n], feature_matching_loss(*alone))
    assert_close(feature_matching_loss(fake, real, reduction="sum"), each.sum())


def test_the_real_features_and_the_scores_take_no_gradient() -> None:
    fake, real = output(0), output(1)
    for scale in fake + real:
        for layer in scale:
            layer.requires_grad_()
    FeatureMatchingLoss()(fake, real).backward()
    assert all(layer.grad is not None for scale in fake for layer in scale[:-1])
    assert all(scale[-1].grad is None for scale in fake)
    assert all(layer.grad is None for scale in real for layer in scale)


def test_features_of_half_precision_are_compared_in_float32() -> None:
    """Their sum overflows float16."""
    fake, real = ([[torch.full((1, 64, 64, 64), x, dtype=torch.float16)] * 2] for x in (4.0, 0.0))
    loss = FeatureMatchingLoss()(fake, real)
    assert loss.dtype == torch.float32
    assert loss == 4


def test_what_does_not_fit_together_is_refused() -> None:
    loss, out = FeatureMatchingLoss(), output(0)
    with pytest.raises(TypeError, match="input must hold a list of feature maps for each scale; got a tensor"):
        loss(out[0], out[:1])
    with pytest.raises(ValueError, match=r"at least one; got \[3, 3\] and \[3\] by scale"):
        loss(out, out[:1])
    with pytest.raises(ValueError, match=r"got \[2, 3\] and \[3, 3\] by scale"):
        loss([out[0][1:], out[1]], out)
    with pytest.raises(ValueError, match=r"got \[0\] and \[0\] by scale"):
        loss([out[0][-1:]], [out[0][-1:]])
    with pytest.raises(ValueError, match=r"at least one scale, .* got \[\] and \[\] by scale"):
        loss([], [])
    with pytest.raises(ValueError, match=r"features of input and target must have the same shape; got \(2, 1, 9, 9\)"):
        loss([out[0][:2]], [out[0][1:3]])
