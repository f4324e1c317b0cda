import copy

import pytest
import torch
from torch.testing import assert_close

from multitask import SmallEncoder


@pytest.mark.parametrize("blocks", [0, 3])
def test_the_features(blocks: int) -> None:
    encoder = SmallEncoder(width=4, blocks=blocks)
    assert (encoder.channels, encoder.strides, encoder.stride) == ((16,), (4,), 4)
    (features,) = encoder(torch.rand(2, 3, 32, 24))
    assert features.shape == (2, 16, 8, 6)


@pytest.mark.parametrize("blocks", [2, 4])
def test_the_features_of_all_strides(blocks: int) -> None:
    encoder = SmallEncoder(width=4, blocks=blocks, output_stride=16)
    assert (encoder.channels, encoder.strides, encoder.stride) == ((4, 8, 16, 32), (2, 4, 8, 16), 16)
    features = encoder(torch.rand(2, 3, 32, 48))
    assert [tuple(level.shape) for level in features] == [(2, 4, 16, 24), (2, 8, 8, 12), (2, 16, 4, 6), (2, 32, 2, 3)]
    features[-1].sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_pictures_are_brought_from_0_1_to_minus_1_1() -> None:
    encoder = SmallEncoder(width=4).eval()
    assert_close(encoder.normalize(torch.tensor([0.0, 0.5, 1.0]).expand(3, 1, 3))[0, 0], torch.tensor([-1.0, 0.0, 1.0]))
    gray = torch.full((1, 3, 16, 16), 0.5)
    first = encoder.stem[0](encoder.normalize(gray))
    assert (first == 0).all()  # the convolution has no bias
    assert_close(encoder(gray)[0], encoder.blocks(encoder.stem(torch.zeros(1, 3, 16, 16))))


def test_the_normalization_is_no_weight() -> None:
    assert not any("normalize" in key for key in SmallEncoder(width=4).state_dict())


def test_bad_options_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="width must be at least 1 and blocks at least 0; got 0 and 4"):
        SmallEncoder(width=0)
    with pytest.raises(ValueError, match="output_stride must be 4 or 16; got 8"):
        SmallEncoder(output_stride=8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="blocks must be at least 2 for an output_stride of 16; got 1"):
        SmallEncoder(blocks=1, output_stride=16)


def test_sides_that_are_no_multiples_of_the_stride_are_rounded_up() -> None:
    assert SmallEncoder(width=4)(torch.rand(1, 3, 33, 27))[0].shape == (1, 16, 9, 7)


def test_narrow_encoders_train_in_channels_last() -> None:
    """Gradients of a 1 x 1 convolution with a stride end the process, or are wrong, on some CPUs."""
    plain = SmallEncoder(width=8, blocks=1).eval()
    fast = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    images = torch.rand(2, 3, 96, 128)
    plain(images)[0].sum().backward()
    fast(images.contiguous(memory_format=torch.channels_last))[0].sum().backward()
    for ours, expected in zip(fast.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, expected.grad, rtol=1e-3, atol=1e-2)
