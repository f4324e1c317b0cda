import numpy as np
import pytest
import torch

from inference.pictures import palette, sheet


def picture(*color: float, height: int = 40, width: int = 50) -> torch.Tensor:
    return torch.tensor(color).view(3, 1, 1).expand(3, height, width)


RED, GREEN, BLUE = picture(1.0, 0.0, 0.0), picture(0.0, 1.0, 0.0), picture(0.0, 0.0, 1.0)


def test_rows_stand_below_each_other_right_of_their_titles() -> None:
    whole = np.asarray(sheet({"first": [RED, GREEN], "second one": [BLUE, RED]}))
    assert whole.shape[0] == 2 * 42 + 2
    left = whole.shape[1] - (2 * 52 + 2)
    for row, column, color in (0, 0, RED), (0, 1, GREEN), (1, 0, BLUE), (1, 1, RED):
        place = whole[2 + 42 * row : 42 + 42 * row, left + 2 + 52 * column : left + 52 + 52 * column]
        assert (place == (255 * color[:, 0, 0]).numpy()).all()
    for row in 0, 1:
        assert (whole[42 * row : 42 * row + 42, :left] < 128).any()  # a title


def test_pictures_of_another_size_are_brought_to_that_of_the_first() -> None:
    small = torch.stack([torch.eye(2)] * 3)
    whole = np.asarray(sheet({"a": [RED], "b": [small]}))
    shown = whole[44:84, -52:-2]
    assert (shown[:20, :25] == 255).all()
    assert (shown[:20, 25:] == 0).all()


def test_the_legend_has_each_color_in_a_box_of_its_own_and_breaks_lines() -> None:
    colors = palette(13)
    legend = {f"class number {number}": color for number, color in enumerate(colors)}
    whole, bare = (np.asarray(sheet({"a": [RED] * 4}, entries)) for entries in (legend, None))
    below = whole[len(bare) :]
    assert (whole[: len(bare)] == bare).all()
    for color in (255 * colors).round().byte().tolist():
        rows, columns = (below == color).all(-1).nonzero()
        assert len(rows) >= 50
        assert np.ptp(rows) < 20 > np.ptp(columns)  # in one place


@pytest.mark.parametrize("size", [(8, 8), (600, 20)])
def test_titles_fit_whatever_the_size_of_pictures(size: tuple[int, int]) -> None:
    tall = picture(1.0, 1.0, 1.0, height=size[0], width=size[1])
    whole = np.asarray(sheet({"prediction": [tall]}))
    ink = (whole < 128).any(-1)
    assert ink.any()
    assert not ink[:, 0].any()  # nothing is cut off at the left
