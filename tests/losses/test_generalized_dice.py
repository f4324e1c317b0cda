import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from losses import dice_loss, generalized_dice_loss


@given(st.integers(0, 1000))
def test_weights_are_one_over_the_square_of_the_sizes(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 12, dtype=torch.float64, generator=generator)
    true = torch.randint(3, (2, 12), generator=generator)
    true[:, :3] = torch.arange(3)  # each is there
    p, t = logits.softmax(1), F.one_hot(true, 3).movedim(-1, 1).double()
    w = 1 / t.sum(2).square()
    each = 1 - 2 * (w * (p * t).sum(2)).sum(1) / (w * (p + t).sum(2)).sum(1)
    assert_close(generalized_dice_loss(logits, true, smooth=0.0, reduction="none"), each)
    assert_close(generalized_dice_loss(logits, true, smooth=0.0), each.mean())


def test_of_regions_of_one_size_it_is_dice_of_all_at_once() -> None:
    """One region: the weight cancels."""
    logits, mask = torch.randn(2, 1, 9), torch.randint(2, (2, 1, 9))
    mask[:, :, 0] = 1
    assert_close(generalized_dice_loss(logits, mask, smooth=0.0), dice_loss(logits, mask, smooth=0.0))


def test_the_smoothing_is_in_pixels_of_the_smallest_class() -> None:
    """Sure and wrong for the only pixel of class 1: weights (1/9)^2 and 1, a ratio of (18/81 + s) / (19/81 + 1 + s)."""
    logits, true = torch.zeros(1, 2, 10), torch.zeros(1, 10, dtype=torch.long)
    logits[:, 0], true[0, 0] = 100.0, 1
    for smooth in 0.0, 1.0, 3.0:
        expected = 1 - (18 / 81 + smooth) / (19 / 81 + 1 + smooth)
        assert_close(generalized_dice_loss(logits, true, smooth=smooth), torch.tensor(expected))


def test_absent_classes() -> None:
    """Half of six pixels are taken for class 1, which is not there: of class 0 three of six are found."""
    logits, true = torch.zeros(1, 2, 6), torch.zeros(1, 6, dtype=torch.long)
    logits[:, 1, :3], logits[:, 0, 3:] = 100.0, 100.0
    assert_close(generalized_dice_loss(logits, true, smooth=0.0, absent="skip"), torch.tensor(1 - 6 / 9))
    assert_close(generalized_dice_loss(logits, true, smooth=0.0), torch.tensor(1 - 6 / 12))
    nothing = torch.zeros(1, 1, 6)
    assert_close(generalized_dice_loss(logits[:, :1] - 50, nothing, smooth=0.0), torch.tensor(1.0))
    assert_close(generalized_dice_loss(logits[:, :1] - 50, nothing, smooth=0.0, absent="skip"), torch.tensor(0.0))


def test_ignored_pixels_are_as_if_they_were_not_there() -> None:
    logits, true = torch.randn(3, 3, 10), torch.randint(3, (3, 10))
    for target in true, torch.randint(2, (3, 3, 10)):
        ignored = target.clone()
        ignored[..., 6:] = 255
        kept = generalized_dice_loss(logits[..., :6], target[..., :6])
        assert_close(generalized_dice_loss(logits, ignored, ignore_index=255), kept)
        ignored[1] = 255  # a sample of which nothing is left is not in the mean
        each = generalized_dice_loss(logits[..., :6], target[..., :6], reduction="none")
        assert_close(generalized_dice_loss(logits, ignored, ignore_index=255), (each[0] + each[2]) / 2)
