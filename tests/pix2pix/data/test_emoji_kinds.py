import itertools

import pytest

from pix2pix.data.emoji_kinds import KINDS, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("1F600", "faces"),  # grinning face
        ("1F468-200D-1F33E", "people"),  # farmer: by the man, not by the sheaf of rice
        ("1F644", "faces"),  # rolling eyes, the last before
        ("1F645", "people"),  # the gesture no
        ("1F648", "animals"),  # see-no-evil monkey
        ("1F34B", "plants and food"),  # lemon
        ("1F6A3", "people"),  # rowing, among the vehicles
        ("1F681", "vehicles and places"),  # helicopter
        ("1F50C", "objects and symbols"),  # plug
        ("0031-FE0F-20E3", "objects and symbols"),  # keycap
    ],
)
def test_kinds_are_unicodes(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_no_code_point_is_of_two_kinds() -> None:
    ends = sorted(ends for own in KINDS.values() for ends in own)
    assert all(low <= high for low, high in ends)
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(ends))


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^house-1: a drawing's name must begin with its code point, such as 1F600$"):
        kind_of("house-1")
