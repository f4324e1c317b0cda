"""Read and check one file of a scene: pictures whose values are colors, classes, depths or normals, and arrays."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision import tv_tensors

from inference import DataError, read_picture, read_upright
from inference.pictures import File
from multitask.data.scenes import NormalMap


def read_image(file: File, name: str) -> tv_tensors.Image:
    """Read a picture of 8 bits a channel, turned upright as its EXIF data say, as 3 x H x W in [0, 1].

    Here as below, ``file`` is a path or an open file, ``name`` what messages call it, and what cannot be read or holds
    other values than it should is refused with DataError.
    """
    image = read_upright(file, name)
    return tv_tensors.Image(_as_tensor(image.convert("RGB")).movedim(-1, 0) / 255)


def read_labels(file: File, name: str) -> tv_tensors.Mask:
    """Read a picture whose pixels are class numbers, H x W, int64; of a palette's colors their indices."""
    image = read_picture(file, name)
    if image.mode not in ("L", "P", "1"):
        raise DataError(f"{name} must be a picture of 8-bit class numbers, gray or with a palette; got {image.mode}")
    return tv_tensors.Mask(_as_tensor(image).long())


def read_depth(file: File, name: str, unit: float) -> Tensor:
    """Read a picture of 16 bits, 1 x H x W, float32: the values times ``unit``."""
    image = read_picture(file, name)
    if not image.mode.startswith("I"):
        raise DataError(f"{name} must be a gray picture of 16 bits; got the mode {image.mode}")
    return _as_tensor(image).float().unsqueeze(0) * unit


def read_normals(file: File, name: str) -> NormalMap:
    """Read a picture of 3 x 8 bits, (value - 128) / 127, as vectors of unit length, 3 x H x W.

    Where the vector is far from one long (below 0.5 or above 1.5), as for gray 128 and for black, it is unknown: zeros.
    """
    image = read_picture(file, name)
    if image.mode != "RGB":
        raise DataError(f"{name} must be a color picture of 3 x 8 bits; got the mode {image.mode}")
    vectors = (_as_tensor(image).movedim(-1, 0).float() - 128) / 127
    length = torch.linalg.vector_norm(vectors, dim=0)
    return NormalMap(F.normalize(vectors, dim=0) * ((length > 0.5) & (length < 1.5)))


def read_array(path: Path, channels: int) -> Tensor:
    """Read a .npy file of H x W x channels (or H x W for one channel) as channels x H x W, float32.

    NaN and infinity become 0: unknown.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (ValueError, EOFError) as error:
        raise DataError(f"{path} is no array of numpy's: {error}") from None
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] != channels or array.dtype.kind not in "fiub":
        expected = f"numbers of the shape H x W x {channels}"
        raise DataError(f"{path} must hold {expected}; got {array.dtype} of {' x '.join(map(str, array.shape))}")
    return torch.from_numpy(array.astype(np.float32)).movedim(-1, 0).nan_to_num(0, posinf=0, neginf=0)


def _as_tensor(image: Image.Image) -> Tensor:
    array = np.array(image)  # a copy: torch wants memory that it may write to
    return torch.from_numpy(array.astype(np.int32) if array.dtype.kind == "u" and array.itemsize > 1 else array)
