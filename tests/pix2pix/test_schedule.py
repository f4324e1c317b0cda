import numpy as np
import pytest

from pix2pix.schedule import learning_rate_factor


def test_learning_rates_are_the_references() -> None:
    """lambda epoch: 1 - max(0, epoch + 1 - n_epochs) / (n_epochs_decay + 1), for 100 and 100 epochs."""
    factors = [learning_rate_factor(epoch, 100, 100) for epoch in range(205)]
    assert factors[:100] == [1.0] * 100
    assert factors[100] == pytest.approx(100 / 101)
    assert factors[199] == pytest.approx(1 / 101)
    assert factors[204] == factors[199]  # never 0, however long
    assert np.allclose(np.diff(factors[99:200]), -1 / 101)
