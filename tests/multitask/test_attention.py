import torch
from torch import nn
from torch.testing import assert_close

from multitask import Depth
from multitask.attention import AttendingHead
from multitask.tasks.task import DenseHead


def test_the_mask_multiplies_the_shared_features() -> None:
    head = AttendingHead(DenseHead(4, 8, 1), 4).eval()
    seen: list[torch.Tensor] = []
    head.refine.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    features = torch.randn(2, 4, 6, 8)
    prediction = head(features, (12, 16))
    assert prediction.shape == (2, 1, 12, 16)
    assert_close(seen[0], head.mask(features) * features)
    assert ((head.mask(features) > 0) & (head.mask(features) < 1)).all()


def test_a_closed_mask_lets_nothing_through() -> None:
    head = AttendingHead(nn.Identity(), 4).eval()
    last = head.mask[4]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.constant_(last.bias, -100.0)
    assert_close(head.attend(torch.randn(1, 4, 6, 8)), torch.zeros(1, 4, 6, 8))


def test_the_start_value_of_a_head_survives() -> None:
    """What a task sets in its head stays there."""
    plain = Depth(farthest=9.0).build_head(4)
    assert AttendingHead(plain, 4).head is plain
