import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from inference.sizes import Box, clip, crop, height_width, pad, padded_size, reflected


@pytest.mark.parametrize(
    ("size", "stride", "least", "padded"),
    [
        ((256, 512), 256, 256, (256, 512)),
        ((257, 1), 256, 256, (512, 256)),
        ((17, 301), 4, 8, (20, 304)),
        ((1, 9), 4, 8, (8, 12)),
        ((5, 3), 1, 1, (5, 3)),
    ],
)
def test_sides_grow_to_the_next_multiple_that_the_network_takes(
    size: tuple[int, int], stride: int, least: int, padded: tuple[int, int]
) -> None:
    assert padded_size(size, stride, least) == padded


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3), (17, 301), (32, 32)])
def test_a_padded_picture_begins_with_the_picture(size: tuple[int, int]) -> None:
    picture = torch.randint(256, (3, *size), dtype=torch.uint8)
    padded = pad(picture, stride=32)
    assert padded.shape == (3, *padded_size(size, 32))
    assert padded.dtype == torch.uint8
    assert_close(crop(padded, Box(0, 0, *size)), picture)


def test_padding_reflects_as_torch_does() -> None:
    pictures = torch.rand(2, 3, 17, 30)
    assert_close(pad(pictures, stride=16), torch.nn.functional.pad(pictures, (0, 2, 0, 15), mode="reflect"))


def test_a_short_side_is_reflected_back_and_forth_and_a_side_of_one_repeats() -> None:
    assert pad(torch.tensor([[[1, 2, 3]]]), stride=8)[0].tolist() == 8 * [[1, 2, 3, 2, 1, 2, 3, 2]]


def padded_by_hand(picture: Tensor, around: int) -> Tensor:
    rows, columns = (
        torch.tensor([min(i % (2 * n - 2), -i % (2 * n - 2)) for i in range(-around, n + around)])
        for n in picture.shape[-2:]
    )
    return picture[:, rows][:, :, columns]


def test_any_box_shows_the_reflected_picture_and_reads_only_what_it_shows() -> None:
    picture = torch.rand(2, 5, 7)
    forever = padded_by_hand(picture, 30)
    reads = []

    def read(box: Box) -> Tensor:
        reads.append(box)
        assert box.top >= 0
        assert box.left >= 0
        assert box == clip(box, (5, 7))
        return crop(picture, box)

    shows = {  # of the picture
        Box(1, 2, 3, 4): Box(1, 2, 3, 4),
        Box(0, 0, 5, 7): Box(0, 0, 5, 7),
        Box(3, 5, 4, 6): Box(2, 2, 3, 5),
        Box(-2, -3, 4, 5): Box(0, 0, 3, 4),
        Box(6, 8, 1, 2): Box(2, 3, 1, 2),
        Box(-20, -30, 40, 60): Box(0, 0, 5, 7),
    }
    for box, part in shows.items():
        assert_close(reflected(read, (5, 7))(box), crop(forever, box._replace(top=box.top + 30, left=box.left + 30)))
        assert reads.pop() == part


def test_a_box_is_clipped_where_the_picture_ends() -> None:
    assert clip(Box(4, 8, 4, 4), (7, 20)) == Box(4, 8, 3, 4)
    assert clip(Box(4, 8, 4, 4), (20, 9)) == Box(4, 8, 4, 1)


def test_a_size_may_be_one_number() -> None:
    assert [height_width("size", size) for size in (None, 3, (4, 5))] == [None, (3, 3), (4, 5)]
    with pytest.raises(ValueError, match=r"load_size must be at least 1; got \(4, 0\)"):
        height_width("load_size", (4, 0))
