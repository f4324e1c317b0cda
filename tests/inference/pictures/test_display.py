import numpy as np
import pytest
import torch

from inference.pictures import as_rgb, heat, shade, to_picture


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_tensor_becomes_a_picture_rounded(channels: int, mode: str) -> None:
    picture = to_picture(torch.tensor([-1, 0, 0.4999 / 255, 0.5001 / 255, 1, 2]).expand(channels, 1, 6))
    assert picture.mode == mode
    assert np.array(picture).reshape(6, channels)[:, 0].tolist() == [0, 0, 0, 1, 255, 255]


def test_every_channel_count_can_be_looked_at() -> None:
    assert torch.equal(as_rgb(torch.full((1, 2, 2), 0.3)), torch.full((3, 2, 2), 0.3))
    clear, half = torch.zeros(4, 1, 1), torch.tensor([1.0, 0.0, 0.0, 0.5]).reshape(4, 1, 1)
    assert as_rgb(clear).flatten().tolist() == [1, 1, 1]  # transparent is white
    assert as_rgb(half).flatten().tolist() == [1, 0.5, 0.5]
    two, nine = torch.rand(2, 2, 2), torch.rand(9, 2, 2)
    assert torch.equal(as_rgb(two), two[:1].expand(3, -1, -1))
    assert torch.equal(as_rgb(nine), nine[:3])


def test_shades_lie_between_the_colors_of_their_scale() -> None:
    scale = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.5], [1.0, 1.0, 1.0]])
    drawn = shade(torch.tensor([[[0.0, 0.25, 0.5, 1.0, 7.0, -1.0, torch.nan]]]), scale)
    assert drawn.shape == (1, 3, 1, 7)
    assert drawn[0, :, 0].T.tolist() == [
        [0, 0, 0],
        [0.5, 0, 0.25],
        [1, 0, 0.5],
        [1, 1, 1],
        [1, 1, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]


def test_more_heat_is_lighter() -> None:
    lightness = heat(torch.linspace(0, 1, 30).view(1, 1, 30)).mul(torch.tensor([0.3, 0.6, 0.1]).view(1, 3, 1, 1)).sum(1)
    assert (lightness.diff() > 0).all()
