"""Pictures as tensors."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def as_tensor(image: Image.Image, channels: int) -> Tensor:
    """Convert a picture to uint8, ``channels`` x H x W: 1 is gray, 3 RGB, 4 RGBA."""
    array = np.array(image.convert(MODES[channels]))  # a copy: torch wants memory that it may write to
    return torch.from_numpy(array.reshape(image.height, image.width, channels)).permute(2, 0, 1).contiguous()
