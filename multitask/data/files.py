"""Read and check one file of a scene: pictures whose values are colors, classes, depths or normals, and arrays."""

from pathlib import Path
from tokenize import TokenError  # of NPY headers

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision import tv_tensors

from inference import DataError, Picture, open_picture
from inference.pictures import Array, File, PictureFormat, refuse_larger
from multitask.data.scenes import NormalMap

IMAGE = PictureFormat(channels=3)  # what encoders take


def read_image(file: File, name: str) -> tv_tensors.Image:
    """Read a picture, turned upright as its EXIF data say, as 3 x H x W in [0, 1]; see :func:`to_image`.

    Here as below, ``file`` is a path or an open file, ``name`` what messages call it, and what cannot be read or holds
    other values than it should is refused with DataError.
    """
    return to_image(open_picture(file, name))


def to_image(picture: Picture) -> tv_tensors.Image:
    """Read a picture as 3 x H x W in [0, 1]: gray and with transparency too; integers by the range of their type.

    Raises:
        DataError: other channels, or floating point numbers that are not in [0, 1].
    """
    array = picture.read()
    if array.dtype.kind == "f" and not ((array >= 0) & (array <= 1)).all():
        raise DataError(
            f"{picture.name}: {array.dtype} from {array.min():g} to {array.max():g}; divide them so that they are in "
            "[0, 1], or take uint8 or uint16"
        )
    values = IMAGE.to_values(array, picture.name)
    return tv_tensors.Image(values if values.is_floating_point() else values / 255)


def read_labels(file: File, name: str) -> tv_tensors.Mask:
    """Read a picture whose pixels are class numbers, H x W, int64; of a palette's colors their indices."""
    picture = open_picture(file, name).labels()
    return tv_tensors.Mask(torch.from_numpy(picture.read()[..., 0].astype(np.int64)))


def read_depth(file: File, name: str, unit: float) -> Tensor:
    """Read a picture of 16 bits, 1 x H x W, float32: the values times ``unit``."""
    picture = open_picture(file, name)
    if picture.dtype != np.uint16 or picture.channels != 1:
        raise DataError(f"{name} must be a gray picture of 16 bits; got {picture.channels} x {picture.dtype}")
    return torch.from_numpy(picture.read()[..., 0].astype(np.float32)).unsqueeze(0) * unit


def read_normals(file: File, name: str) -> NormalMap:
    """Read a picture of 3 x 8 bits, (value - 128) / 127, as vectors of unit length, 3 x H x W.

    Where the vector is far from one long (below 0.5 or above 1.5), as for gray 128 and for black, it is unknown: zeros.
    """
    picture = open_picture(file, name)
    if picture.dtype != np.uint8 or picture.channels != 3 or picture.indices:
        raise DataError(f"{name} must be a color picture of 3 x 8 bits; got {picture.channels} x {picture.dtype}")
    vectors = (torch.from_numpy(picture.read()).movedim(-1, 0).float() - 128) / 127
    length = torch.linalg.vector_norm(vectors, dim=0)
    return NormalMap(F.normalize(vectors, dim=0) * ((length > 0.5) & (length < 1.5)))


def read_array(path: Path, channels: int) -> Tensor:
    """Read a .npy file of H x W x channels (or H x W for one channel) as channels x H x W, float32.

    NaN and infinity become 0: unknown.
    """
    try:
        array: Array = np.lib.format.open_memmap(path, mode="r")  # which reads no pickle, and no more than there is
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (ValueError, EOFError, TokenError) as error:
        raise DataError(f"{path} is no array of numpy's: {error}") from None
    refuse_larger(array.shape, str(path))
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] != channels or array.dtype.kind not in "fiub":
        expected = f"numbers of the shape H x W x {channels}"
        raise DataError(f"{path} must hold {expected}; got {array.dtype} of {' x '.join(map(str, array.shape))}")
    return torch.from_numpy(array.astype(np.float32)).movedim(-1, 0).nan_to_num(0, posinf=0, neginf=0)
