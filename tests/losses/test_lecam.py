import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import LeCamPenalty, lecam_penalty


def batches(count: int, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [tuple(torch.randn(2, 4, 3, 3, generator=generator) + torch.tensor(2.0)) for _ in range(count)]


def test_by_hand() -> None:
    """Anchors of 2 and -1, and a real score of 4 that the next step moves halfway to."""
    penalty = LeCamPenalty(decay=0.5)
    assert penalty(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, -1.0])) == (4 + 16) / 2 + 9
    assert (penalty.real_anchor, penalty.fake_anchor) == (2, -1)
    assert penalty(torch.tensor([4.0]), torch.tensor([-1.0])) == 5**2 + 4**2  # the anchors are 3 and -1 now
    assert lecam_penalty(torch.zeros(2), torch.ones(2), torch.tensor(4.0), torch.tensor(3.0)) == 9 + 9


@given(st.integers(0, 100), st.floats(0, 1))
def test_by_definition(seed: int, decay: float) -> None:
    penalty = LeCamPenalty(decay=decay)
    anchors: list[float] = []
    for real, fake in batches(4, seed):
        means = [float(np.mean(scores.numpy(), dtype=np.float64)) for scores in (real, fake)]
        anchors = [decay * a + (1 - decay) * m for a, m in zip(anchors or means, means, strict=True)]
        expected = np.mean((real.numpy() - anchors[1]) ** 2) + np.mean((fake.numpy() - anchors[0]) ** 2)
        assert penalty(real, fake).item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_pulls_the_scores_together_and_not_the_anchors() -> None:
    real, fake = torch.full((2,), 3.0, requires_grad=True), torch.full((2,), -1.0, requires_grad=True)
    gradients = torch.autograd.grad(LeCamPenalty()(real, fake), [real, fake])
    assert_close(gradients, (torch.full((2,), 2 * 4 / 2), torch.full((2,), -2 * 4 / 2)))


def test_a_run_that_is_resumed_goes_on_where_it_was() -> None:
    whole, first, second = LeCamPenalty(), LeCamPenalty(), LeCamPenalty()
    data = batches(6)
    expected = [whole(*batch) for batch in data]
    for batch in data[:3]:
        first(*batch)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert [second(*batch) for batch in data[3:]] == expected[3:]


def test_the_state_before_the_first_batch_is_one_to_resume_from() -> None:
    fresh = LeCamPenalty()
    fresh.load_state_dict(LeCamPenalty().state_dict())
    batch = batches(1)[0]
    assert fresh(*batch) == LeCamPenalty()(*batch)


def test_evaluation_moves_nothing() -> None:
    penalty, (first, second) = LeCamPenalty(), batches(2)
    penalty(*first)
    before = copy.deepcopy(penalty.state_dict())
    penalty.eval()(*second)
    assert penalty.state_dict() == before


def test_anchors_are_means_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if another process had six scores, all of them 5."""
    monkeypatch.setattr("losses.lecam.sum_over_processes", lambda tensor: tensor + torch.tensor([30.0, 6.0]))
    penalty = LeCamPenalty()
    penalty(torch.full((2,), 1.0), torch.full((2,), -3.0))
    assert (penalty.real_anchor, penalty.fake_anchor) == (4, 3)


def test_no_scores_and_scores_that_are_not_finite_leave_the_anchors_alone() -> None:
    penalty, batch = LeCamPenalty(), batches(1)[0]
    empty = torch.empty(0, 3)
    assert penalty(empty, empty) == 0
    penalty(*batch)
    before = copy.deepcopy(penalty.state_dict())
    for wrong in torch.inf, torch.nan:
        penalty(torch.full((4,), wrong), torch.full((4,), wrong))
    penalty(empty, empty)
    assert penalty.state_dict() == before


def test_scores_of_half_precision_move_anchors_of_float32() -> None:
    penalty = LeCamPenalty().half()
    scores = torch.full((2, 300, 300), 4.0, dtype=torch.float16)  # whose sum overflows float16
    assert penalty(scores, scores) == 0
    assert penalty.real_anchor.dtype == torch.float32
    assert penalty.real_anchor == 4


def test_real_and_generated_scores_have_one_shape() -> None:
    with pytest.raises(ValueError, match=r"real and fake must have the same shape; got \(2, 3\) and \(2,\)"):
        LeCamPenalty()(torch.zeros(2, 3), torch.zeros(2))
