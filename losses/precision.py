"""The numeric convention of every loss: computed in at least float32, also in the middle of mixed precision."""

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Give ``tensor`` in float32 if it is float16 or bfloat16; leave float32 and float64 as they are.

    A loss in half precision is wrong in small ways that nobody sees: a float16 sum overflows at 65,504, which is
    the number of pixels of one 256 x 256 picture, and bfloat16 keeps two to three digits.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
