import copy

import numpy as np
import pytest
import torch

from losses import RandomWeighting
from tests.losses.weighting.steps import TASKS, losses_of, train, weights


def drawn(weighting: RandomWeighting, steps: int) -> np.ndarray:
    found = []
    for _ in range(steps):
        train(weighting, [1.0, 2.0, 3.0])
        found.append(weights(weighting))
    return np.array(found)


def test_weights_are_the_softmax_of_normal_numbers() -> None:
    found = drawn(RandomWeighting(TASKS).double(), 4000)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
    differences = np.log(found[:, 1:] / found[:, :1])  # of two normal numbers: mean 0, variance 2, covariance 1
    np.testing.assert_allclose(differences.mean(0), 0, atol=0.08)
    np.testing.assert_allclose(np.cov(differences.T), [[2, 1], [1, 2]], atol=0.15)
    np.testing.assert_allclose(np.corrcoef(differences[1:, 0], differences[:-1, 0])[0, 1], 0, atol=0.06)


def test_a_seed_of_its_own_and_nothing_of_torchs() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = drawn(RandomWeighting(TASKS, seed=7), 3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert (drawn(RandomWeighting(TASKS, seed=7), 3) == one).all()
    assert (drawn(RandomWeighting(TASKS, seed=8), 3) != one).all()


def test_a_resumed_run_draws_what_the_run_would_have_drawn() -> None:
    weighting, resumed = RandomWeighting(TASKS, seed=3), RandomWeighting(TASKS, seed=99)
    drawn(weighting, 5)
    resumed.load_state_dict(copy.deepcopy(weighting.state_dict()))
    copied = copy.deepcopy(weighting)
    expected = drawn(weighting, 5)
    assert (drawn(resumed, 5) == expected).all()
    assert (drawn(copied, 5) == expected).all()


def test_backward_passes_of_one_step_have_the_same_numbers() -> None:
    weighting, found = RandomWeighting(TASKS), []
    for _ in range(3):
        weighting(losses_of([1.0, 2.0, 3.0], torch.zeros((), requires_grad=True))).backward()
        found.append(weights(weighting))
    weighting.step()
    weighting(losses_of([1.0, 2.0, 3.0], torch.zeros(())))
    assert found[0] == found[1] == found[2] != weights(weighting)


def test_absent_tasks_take_no_share_and_no_number_from_the_others() -> None:
    whole, part = RandomWeighting(TASKS), RandomWeighting(TASKS)
    for _ in range(3):
        train(whole, [1.0, 2.0, 3.0])
        train(part, [1.0, 2.0])
        of_two = np.array(weights(whole)[:2])
        assert weights(part) == pytest.approx(of_two / of_two.sum(), rel=1e-5)
