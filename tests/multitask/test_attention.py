import torch
from torch import nn
from torch.testing import assert_close

from multitask.attention import TaskAttention


def test_the_mask_multiplies_the_shared_features() -> None:
    attention = TaskAttention(4).eval()
    seen: list[torch.Tensor] = []
    attention.refine.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    features = torch.randn(2, 4, 6, 8)
    assert attention(features).shape == features.shape
    mask = attention.mask(features)
    assert_close(seen[0], mask * features)
    assert ((mask > 0) & (mask < 1)).all()


def test_a_closed_mask_lets_nothing_through() -> None:
    attention = TaskAttention(4).eval()
    last = attention.mask[4]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.constant_(last.bias, -200.0)
    assert_close(attention(torch.randn(1, 4, 6, 8)), torch.zeros(1, 4, 6, 8))
