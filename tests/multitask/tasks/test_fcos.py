"""Which place finds which box, by hand and by brute force, and where the head says that its places are."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from multitask.tasks.fcos import FCOSHead, assign, centerness

STEP = torch.tensor([4.0, 4.0])


def grid(rows: int, columns: int) -> Tensor:
    return torch.tensor([[4.0 * column + 2, 4.0 * row + 2] for row in range(rows) for column in range(columns)])


def assigned(boxes: list[list[float]], rows: int, columns: int) -> list[list[int]]:
    return assign(torch.tensor(boxes).view(-1, 4), grid(rows, columns), STEP).view(rows, columns).tolist()


def test_the_smallest_box_around_a_place_wins_whatever_their_order() -> None:
    large, small = [0.0, 0.0, 16.0, 16.0], [4.0, 4.0, 12.0, 8.0]
    assert assigned([large, small], 4, 4) == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert assigned([small, large], 4, 4) == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]


def test_only_places_within_one_and_a_half_steps_of_the_middle_belong_to_a_box() -> None:
    assert assigned([[0.0, 0.0, 32.0, 4.0]], 1, 8) == [[-1, -1, 0, 0, 0, 0, -1, -1]]


def test_a_place_outside_of_a_box_does_not_belong_to_it_however_near() -> None:
    assert assigned([[5.0, 1.0, 11.0, 3.0]], 2, 4) == [[-1, 0, 0, -1], [-1, -1, -1, -1]]


def test_a_box_between_places_gets_the_nearest() -> None:
    assert assigned([[4.2, 4.2, 5.0, 5.0]], 3, 3) == [[-1, -1, -1], [-1, 0, -1], [-1, -1, -1]]


def test_a_small_box_leaves_the_large_one_its_nearest_place() -> None:
    """Both places lie in both boxes, and the small one would win both."""
    assert assigned([[1.0, 0.0, 8.0, 3.0], [0.5, 0.5, 7.0, 3.0]], 1, 2) == [[1, 0]]


def test_without_boxes_no_place_has_one() -> None:
    assert assigned([], 2, 2) == [[-1, -1], [-1, -1]]


sides = st.tuples(st.integers(0, 28), st.integers(1, 20))


@settings(deadline=None)
@given(st.lists(st.tuples(sides, sides), max_size=6))
def test_assignment_is_the_brute_force_one(corners: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    boxes = [[x + 0.3, y + 0.1, x + width + 0.3, y + height + 0.1] for (x, width), (y, height) in corners]
    places = grid(5, 8).tolist()
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes]
    assume(len({round(area) for area in areas}) == len(areas))  # of equal areas either may win

    middles = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in boxes]
    distances = [[math.dist(place, middle) for place in places] for middle in middles]
    assume(all(sorted(d)[1] - min(d) > 1e-3 for d in distances))  # of two nearest places either may be taken
    expected = []
    for index, (x, y) in enumerate(places):
        own = [box for box, d in enumerate(distances) if d[index] == min(d)]
        inside = [
            box
            for box, ((x1, y1, x2, y2), (u, v)) in enumerate(zip(boxes, middles, strict=True))
            if x1 < x < x2 and y1 < y < y2 and max(abs(x - u), abs(y - v)) <= 6
        ]
        expected.append(min(own or inside, key=lambda box: areas[box], default=-1))
    assert assign(torch.tensor(boxes).view(-1, 4), grid(5, 8), STEP).tolist() == expected


def test_centerness() -> None:
    box = torch.tensor([0.0, 0.0, 8.0, 4.0])
    places = torch.tensor([[2.0, 1.0], [4.0, 2.0], [0.0, 2.0], [9.0, 2.0], [4.0, 5.0], [9.0, 5.0]])
    assert_close(centerness(box.expand(6, 4), places), torch.tensor([1 / 3, 1.0, 0.0, 0.0, 0.0, 0.0]))


def test_places_lie_in_the_middle_of_their_part_of_the_picture() -> None:
    head = FCOSHead(1, 4, 0, 2)
    assert_close(head(torch.zeros(1, 1, 2, 3), (8, 12)).centers, grid(2, 3))
    uneven = head(torch.zeros(1, 1, 3, 4), (10, 13))
    assert_close(uneven.step, torch.tensor([13 / 4, 10 / 3]))
    assert_close(uneven.centers[5], torch.tensor([1.5 * 13 / 4, 1.5 * 10 / 3]))


def test_pooled_features_make_fewer_places() -> None:
    """Of an odd number the last place stands for one feature, and lies where it would if there were two."""
    head = FCOSHead(1, 4, 0, 2, pool=2)
    places = head(torch.zeros(1, 1, 4, 5), (8, 10))
    assert places.step.tolist() == [4, 4]
    assert_close(places.centers, grid(2, 3))
    assert (places.logits.shape, places.boxes.shape, places.centerness.shape) == ((1, 6, 2), (1, 6, 4), (1, 6))


def test_the_prediction_of_a_place_is_made_where_it_lies() -> None:
    """A bright feature in the second row, third column, and towers that pass on what they see."""
    head = FCOSHead(1, 4, 0, 1)
    for tower in head.classify, head.locate:
        torch.nn.init.zeros_(tower[-1].weight)
        tower[-1].weight.data[:, 0, 1, 1] = 1.0
        torch.nn.init.zeros_(tower[-1].bias)
    features = torch.zeros(1, 1, 2, 4)
    features[0, 0, 1, 2] = 3.0
    places = head(features, (8, 16))
    assert places.logits[0, :, 0].tolist() == [0, 0, 0, 0, 0, 0, 3, 0]
    assert places.centerness[0].tolist() == [0, 0, 0, 0, 0, 0, 3, 0]
    distance = 4 * math.log1p(math.exp(3))
    assert_close(places.boxes[0, 6], torch.tensor([10 - distance, 6 - distance, 10 + distance, 6 + distance]))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_at_the_start_classes_are_rare_and_boxes_hold_their_places(precision: torch.dtype) -> None:
    head = FCOSHead(16, 8, 2, 3)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        places = head(torch.randn(2, 16, 4, 6), (32, 48))
    assert places.logits.shape == (2, 24, 3)
    assert_close(places.logits.sigmoid().mean(), torch.tensor(0.01), rtol=0.3, atol=0)
    assert all(values.dtype == torch.float32 for values in places[:5])
    assert (places.boxes[..., :2] < places.centers).all()
    assert (places.boxes[..., 2:] > places.centers).all()
