import math

import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from training.callbacks.means import Means


def test_every_finite_element_counts_as_one() -> None:
    means = Means()
    means.add({"a": torch.tensor([1.0, 2.0, math.nan]), "b": torch.tensor(True)})
    means.add({"a": torch.tensor(6.0, dtype=torch.float64), "b": torch.tensor([[0.0, math.inf]])})
    found = means.compute(["b", "a", "c"], SingleDeviceStrategy("cpu"))
    assert found["a"] == 3.0
    assert found["b"] == 0.5
    assert math.isnan(found["c"])
    assert list(found) == ["b", "a", "c"]
    assert math.isnan(means.compute(["a"], SingleDeviceStrategy("cpu"))["a"])  # forgotten


def test_what_came_in_is_in_the_state() -> None:
    first, second = Means(), Means()
    first.add({"a": torch.tensor([1.0, 2.0])})
    second.load_state_dict(first.state_dict())
    second.add({"a": torch.tensor(6.0)})
    assert second.compute(["a"], SingleDeviceStrategy("cpu")) == {"a": 3.0}


def test_nothing_waits_for_the_device() -> None:
    """Not one operation that makes a number of a tensor, or a tensor whose size depends on values."""
    means, seen = Means(), set()

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.add(str(function))
            return function(*args, **(kwargs or {}))

    values: dict[str, Tensor] = {"a": torch.tensor([1.0, math.nan])}
    with Operations():
        means.add(values)
        means.add(values)
    assert seen
    assert not [name for name in seen if any(bad in name for bad in ("local_scalar", "nonzero", "masked_select"))]
