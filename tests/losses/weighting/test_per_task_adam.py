import torch
from torch.testing import assert_close

from losses.weighting.per_task_adam import PerTaskAdam


def test_it_is_torchs_adam_where_all_tasks_are_present() -> None:
    adam, values = PerTaskAdam(3, lr=0.1), torch.tensor([1.0, -2.0, 0.5])
    parameter = torch.nn.Parameter(values.clone())
    theirs = torch.optim.Adam([parameter], lr=0.1)
    for _ in range(5):
        gradient = torch.randn(3)
        values = adam(values, gradient, torch.ones(3, dtype=torch.bool))
        parameter.grad = gradient
        theirs.step()
        assert_close(values, parameter.detach())


def test_absent_tasks_keep_their_values_moments_and_counts() -> None:
    adam, present = PerTaskAdam(2, lr=0.1), torch.tensor([True, False])
    values = adam(torch.ones(2), torch.tensor([1.0, float("nan")]), present)
    assert_close(values, torch.tensor([0.9, 1.0]))
    assert all(state[0] != 0 and state[1] == 0 for state in adam.state_dict().values())
