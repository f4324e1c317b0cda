import pytest
import torch
from torch import Tensor

from pix2pix.ablation.classifier import DECAYS, LinearClassifier


def clouds(counts: dict[str, int], apart: float = 6.0) -> tuple[Tensor, list[str]]:
    """Features around a corner for each class, and labels."""
    labels = [name for name, count in counts.items() for _ in range(count)]
    corners = torch.eye(4)[: len(counts)] * apart
    return torch.randn(len(labels), 4) + torch.cat(
        [corners[i].repeat(n, 1) for i, n in enumerate(counts.values())]
    ), labels


def test_it_tells_what_can_be_told() -> None:
    classifier = LinearClassifier(*clouds({"a": 50, "b": 30, "c": 20}), *clouds({"a": 9, "b": 9, "c": 9}))
    features, labels = clouds({"a": 40, "b": 40, "c": 40})
    assert classifier.accuracy(features, labels) > 0.97
    assert classifier.accuracy(features, labels[::-1]) < 0.4  # only b is where it was


def test_classes_count_alike_whatever_their_numbers() -> None:
    """By hand: all 8 of a are told and none of the 2 of b, which is half."""
    classifier = LinearClassifier(*clouds({"a": 50, "b": 50}), *clouds({"a": 9, "b": 9}))
    features, _ = clouds({"a": 10})
    assert classifier.accuracy(features, ["a"] * 8 + ["b"] * 2) == pytest.approx(0.5)
    assert classifier.accuracy(features, ["a"] * 8 + ["new"] * 2) == pytest.approx(0.5)


def test_a_rare_class_is_told_as_well_as_a_common_one() -> None:
    rare = LinearClassifier(*clouds({"a": 400, "b": 12}, 1.5), *clouds({"a": 50, "b": 50}, 1.5))
    features, labels = clouds({"a": 300, "b": 300}, 1.5)
    told = [rare.accuracy(features[part], labels[part]) for part in (slice(300), slice(300, 600))]
    assert abs(told[0] - told[1]) < 0.25  # without balance b is told in one of ten


def test_held_out_pictures_choose_the_weight_decay() -> None:
    """Fewer pictures than features: the least decay learns the noise by heart."""
    features, labels = torch.randn(30, 200), ["a", "b"] * 15
    features[::2, 0] += 3
    held_out, truth = torch.randn(400, 200), ["a", "b"] * 200
    held_out[::2, 0] += 3
    chosen = LinearClassifier(features, labels, held_out, truth)
    accuracies = []
    for decay in DECAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pix2pix.ablation.classifier.DECAYS", (decay,))
            accuracies.append(LinearClassifier(features, labels, held_out, truth).accuracy(held_out, truth))
    assert chosen.accuracy(held_out, truth) == max(accuracies)


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^classes must be at least two; got a$"):
        LinearClassifier(*clouds({"a": 3}), *clouds({"a": 3}))
