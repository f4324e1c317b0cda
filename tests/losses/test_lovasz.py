import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import lovasz_loss


def jaccard_distance(wrong: set[int], true: set[int]) -> float:
    """Of the prediction that differs from the truth at ``wrong``."""
    predicted = true ^ wrong
    union = predicted | true
    return 1 - len(predicted & true) / len(union) if union else 0.0


def by_sets(errors: list[float], true: set[int]) -> float:
    """The Lovasz extension of a function of sets, word for word."""
    order = sorted(range(len(errors)), key=lambda pixel: -errors[pixel])
    steps = [
        jaccard_distance(set(order[: k + 1]), true) - jaccard_distance(set(order[:k]), true) for k in range(len(order))
    ]
    return sum(errors[pixel] * step for pixel, step in zip(order, steps, strict=True))


@given(st.integers(0, 1000))
def test_it_is_the_lovasz_extension_of_the_jaccard_distance(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 7, dtype=torch.float64, generator=generator)
    target = torch.randint(3, (2, 7), generator=generator)
    each = lovasz_loss(logits, target, absent="keep", reduction="none")
    of_batch = lovasz_loss(logits, target, absent="keep", per_sample=False, reduction="none")
    p = logits.softmax(1)
    for number in range(3):
        errors = ((target == number).double() - p[:, number]).abs()
        for sample in range(2):
            true = {pixel for pixel in range(7) if target[sample, pixel] == number}
            assert each[sample, number].item() == pytest.approx(by_sets(errors[sample].tolist(), true))
        true = {pixel for pixel in range(14) if target.flatten()[pixel] == number}
        assert of_batch[number].item() == pytest.approx(by_sets(errors.flatten().tolist(), true))


def test_predictions_that_are_sure_cost_their_jaccard_distance() -> None:
    """Class 0: 2 of 3 in common of 4; class 1: 1 in common of 3; and class 2 is in neither."""
    predicted, true = torch.tensor([[0, 0, 0, 1, 1]]), torch.tensor([[0, 0, 1, 1, 0]])
    logits = 100 * torch.nn.functional.one_hot(predicted, 3).movedim(-1, 1).float()
    each = lovasz_loss(logits, true, absent="keep", reduction="none")
    assert_close(each, torch.tensor([[1 - 2 / 4, 1 - 1 / 3, 0.0]]))
    assert_close(lovasz_loss(logits, true), torch.tensor((1 / 2 + 2 / 3) / 2))
    assert_close(lovasz_loss(logits, true, absent="zero"), torch.tensor((1 / 2 + 2 / 3) / 3))


def test_an_absent_class_costs_its_largest_probability_if_it_is_kept() -> None:
    logits, true = torch.tensor([[[0.0, 0.0], [1.0, 3.0]]]), torch.tensor([[0, 0]])
    kept = lovasz_loss(logits, true, absent="keep", reduction="none")[0, 1]
    assert_close(kept, torch.tensor(3.0).sigmoid())


@pytest.mark.parametrize("per_sample", [False, True])
def test_ignored_pixels_are_as_if_they_were_not_there(per_sample: bool) -> None:
    logits, true = torch.randn(2, 3, 10), torch.randint(3, (2, 10))
    logits[:, :, 2] += 100.0 * torch.eye(3)[true[:, 2]]  # a pixel that is right, whose error of 0 is the ignored ones'
    for target in true, torch.randint(2, (2, 3, 10)):
        ignored = target.clone()
        ignored[..., 6:] = 255
        values = []
        for kept, truth in (logits, ignored), (logits[..., :6], target[..., :6]):
            input = kept.clone().requires_grad_()
            loss = lovasz_loss(input, truth, ignore_index=255, per_sample=per_sample)
            loss.backward()
            assert input.grad is not None
            values.append((loss.detach(), input.grad[..., :6]))
            assert (input.grad[..., 6:] == 0).all()
        assert_close(*values)


def test_regions_are_classes_of_their_own() -> None:
    """Two classes whose softmax is the sigmoid of the difference."""
    logits, mask = torch.randn(2, 1, 9), torch.randint(2, (2, 1, 9))
    both = torch.cat([torch.zeros_like(logits), logits], 1)
    of_classes: Tensor = lovasz_loss(both, mask[:, 0], absent="keep", reduction="none")[:, 1:]
    assert_close(lovasz_loss(logits, mask.float(), absent="keep", reduction="none"), of_classes)
