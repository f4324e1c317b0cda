import pytest
import torch

from losses import l1_loss, mse_loss
from losses.figures.experiments import train_shapes_classifier, train_with_outliers, train_with_uncertainty


def test_the_classifier_learns_and_is_the_same_each_time() -> None:
    state = torch.get_rng_state()
    network, loss = train_shapes_classifier()
    assert not network.training
    assert loss(network).item() < 0.1  # guessing costs log 4 = 1.39
    assert loss(train_shapes_classifier()[0]).item() == loss(network).item()
    assert torch.equal(torch.get_rng_state(), state)


def test_all_losses_begin_with_the_same_network_and_see_the_same_batches() -> None:
    def drawing(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        torch.rand(3)
        return mse_loss(input, target)

    histories = train_with_outliers({"a": mse_loss, "b": drawing, "c": l1_loss}, steps=30, every=10)
    assert [len(history) for history in histories.values()] == [4, 4, 4]
    assert histories["a"] == histories["b"]
    assert histories["a"][0] == histories["c"][0]
    assert histories["a"][1] != histories["c"][1]
    assert histories["a"] != train_with_outliers({"a": mse_loss}, steps=30, every=10, seed=1)["a"]


@pytest.mark.slow
def test_outliers_pull_the_mean_and_not_the_median() -> None:
    histories = train_with_outliers({"mse": mse_loss, "l1": l1_loss})
    # A tenth of the targets is 4 too high: 0.4 for the mean.
    assert histories["mse"][-1] == pytest.approx(0.4, abs=0.05)
    assert histories["l1"][-1] < 0.05


@pytest.mark.slow
def test_tasks_end_with_the_weight_of_their_noise() -> None:
    weights = train_with_uncertainty(noises=(0.3, 1.0), steps=600, every=20)
    for noise, points in zip((0.3, 1.0), weights.values(), strict=True):
        assert [step for step, _ in points] == list(range(0, 601, 20))
        assert points[0][1] == 0.5
        assert points[-1][1] == pytest.approx(0.5 / noise**2, rel=0.2)
