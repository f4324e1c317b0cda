import pytest
import torch
from torch.testing import assert_close

from pix2pix import DiffAugment, PatchDiscriminator, Pix2Pix, UNetGenerator
from pix2pix.augmentation import change_color, cut_out, translate


def test_colors_of_a_gray_picture_are_moved_by_brightness_alone() -> None:
    torch.manual_seed(0)
    pictures = torch.full((200, 3, 4, 4), 0.1)
    changed = change_color(pictures)
    shift = changed[:, 0, 0, 0] - 0.1
    assert_close(changed, pictures + shift[:, None, None, None])
    assert -0.5 <= shift.min() < -0.4
    assert 0.4 < shift.max() <= 0.5


def test_saturation_and_contrast_scale_the_distances_from_gray_and_mean() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(300, 3, 4, 4) * 2 - 1
    changed = change_color(pictures)
    gray, new_gray = pictures.mean(1, keepdim=True), changed.mean(1, keepdim=True)
    contrast = (new_gray - new_gray.mean((2, 3), keepdim=True)) / (gray - gray.mean((2, 3), keepdim=True))
    factor = contrast.flatten(1).median(1).values
    assert_close(contrast, factor[:, None, None, None].expand_as(contrast), rtol=1e-2, atol=1e-3)
    assert 0.5 <= factor.min() < 0.6
    assert 1.4 < factor.max() <= 1.5
    both = ((changed - new_gray) / (pictures - gray)).flatten(1).median(1).values / factor
    assert 0 <= both.min() < 0.1
    assert 1.9 < both.max() <= 2.0001


def test_a_picture_is_moved_by_up_to_an_eighth_and_filled_with_0() -> None:
    torch.manual_seed(0)
    picture = torch.arange(1.0, 16 * 24 + 1).view(1, 1, 16, 24)
    moved = translate(picture.expand(500, -1, -1, -1))
    seen = set()
    for each in moved:
        (value,) = each[0, 8, 12].unique().tolist()
        place = int(value) - 1
        down, right = 8 - place // 24, 12 - place % 24
        seen.add((down, right))
        expected = torch.zeros(16, 24)
        rows, columns = slice(max(down, 0), 16 + min(down, 0)), slice(max(right, 0), 24 + min(right, 0))
        from_rows, from_columns = slice(max(-down, 0), 16 - max(down, 0)), slice(max(-right, 0), 24 - max(right, 0))
        expected[rows, columns] = picture[0, 0, from_rows, from_columns]
        assert torch.equal(each[0], expected)
    assert seen == {(down, right) for down in range(-2, 3) for right in range(-3, 4)}


def test_a_rectangle_of_half_of_each_side_is_cut_out() -> None:
    torch.manual_seed(0)
    cut = cut_out(torch.ones(400, 2, 8, 12)) == 0
    assert torch.equal(cut[:, 0], cut[:, 1])
    assert cut[:, 0].flatten(1).sum(1).max() == 4 * 6  # whole inside
    assert cut[:, 0].any(2).sum(1).min() == 2  # the center in the first or the last row
    assert cut.any(0).all()


def test_input_and_picture_move_together_and_only_the_picture_changes_color() -> None:
    torch.manual_seed(0)
    source = torch.rand(20, 3, 16, 16)
    moved_source, moved = DiffAugment(("translation", "cutout"))(source, source)
    assert torch.equal(moved_source, moved)
    assert not torch.equal(moved, source)
    colored_source, colored = DiffAugment(["color"])(source, source)
    assert torch.equal(colored_source, source)
    assert not torch.equal(colored, source)


def test_gradients_pass_through() -> None:
    picture = torch.rand(8, 3, 16, 16, requires_grad=True)
    DiffAugment(("translation", "cutout"))(torch.rand(8, 3, 16, 16), picture)[1].sum().backward()
    assert picture.grad is not None
    assert 0.2 < (picture.grad != 0).float().mean() < 1


@pytest.mark.parametrize(("changes", "got"), [([], "none"), (["colour"], "colour")])
def test_unknown_changes(changes: list[str], got: str) -> None:
    with pytest.raises(ValueError, match=f"changes must be of color, translation, cutout; got {got}"):
        DiffAugment(changes)  # type: ignore[arg-type]


def test_it_is_in_the_hyperparameters() -> None:
    model = Pix2Pix(UNetGenerator(levels=3), PatchDiscriminator(), augmentation=DiffAugment(["color"]))
    (found,) = model.build_parts(model.hparams)["augmentation"].changes
    assert found == "color"
