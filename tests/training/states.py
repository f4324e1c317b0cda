"""Compare what runs have come to."""

from typing import Any

import torch

NOT_COMPARED = ("loops", "callbacks", "hyper_parameters")  # of a checkpoint: times and paths


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Return where two states are not equal to the bit."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [
            each
            for key in first
            if key not in NOT_COMPARED
            for each in differences(first[key], second[key], f"{where}.{key}")
        ]
    if isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [each for index, (one, other) in pairs for each in differences(one, other, f"{where}.{index}")]
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        same = first.dtype == second.dtype and torch.equal(first, second)
    else:
        same = type(first) is type(second) and first == second
    return [] if same else [where]


def assert_same(first: Any, second: Any) -> None:
    """Both are equal to the bit, in all that training goes on with."""
    assert differences(first, second) == []
