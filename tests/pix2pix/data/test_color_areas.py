import numpy as np

from pix2pix.data.color_areas import middles


def test_the_middle_of_an_area_is_where_it_is_widest() -> None:
    picture = np.full((9, 12, 3), 255, np.uint8)
    picture[:, :6] = 10, 20, 30  # an L of one color: a bar of 9 x 6 that lies at the border ...
    picture[6:, 6:] = 10, 20, 30  # ... and a foot of 3 x 6
    picture[1:4, 8:11] = 200, 0, 0  # another of 3 x 3
    picture[0, 11] = 0, 200, 0  # too small
    found = middles(picture, 1)
    assert len(found) == 2
    assert (2, 9, 1) in found
    ((row, column, radius),) = set(found) - {(2, 9, 1)}
    assert radius == 2
    assert 2 <= row <= 6
    assert column in (2, 3)
    assert middles(picture, 2) == [(row, column, radius)]
    assert middles(picture, 3) == []


def test_areas_that_touch_at_a_corner_are_two() -> None:
    picture = np.full((6, 6, 3), 255, np.uint8)
    picture[:3, :3] = picture[3:, 3:] = 9, 99, 9
    assert middles(picture, 1) == [(1, 1, 1), (4, 4, 1)]


def test_a_long_area_is_one() -> None:
    """A snake through all rows of a picture: its ends have one number, however long it is."""
    picture = np.full((31, 40, 3), 255, np.uint8)
    for row in range(0, 31, 2):
        picture[row] = 40, 50, 60
        picture[row : row + 3, 0 if row % 4 else -1] = 40, 50, 60
    ((row, column, _),) = middles(picture, 0)
    assert picture[row, column].tolist() == [40, 50, 60]


def test_black_and_white_need_no_mark() -> None:
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, 8:] = 255
    assert middles(picture, 1) == []
    picture[:, 8:] = 254
    assert [column >= 8 for _, column, _ in middles(picture, 1)] == [True]
