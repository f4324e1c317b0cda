"""The layout of .npy files that MTAN's NYUv2 and Cityscapes come in (Liu et al. 2019)."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from multitask.data.scenes import DepthMap, InverseDepthMap, NormalMap, Scene, Scenes

IGNORED = 255


class MTAN(Scenes):
    """Scenes of ``root/split/{image,label,depth,normal}/0.npy``, ``1.npy`` and so on, as MTAN's data sets have them.

    Images are H x W x 3 in [0, 1]; labels H x W, -1 where there is none; depth H x W x 1, 0 where unknown; normals
    H x W x 3, zeros where unknown; in any dtype. Only ``image`` must be there. The targets are named ``labels`` (255
    where there is none), ``depth`` and ``normals``.

    Args:
        root: the data set's folder.
        split: its folder in that: train or val.
        inverse_depth: whether the depth is inverse, as in Cityscapes.

    Raises:
        FileNotFoundError: there is no such folder, or there are no images in it.
        ValueError: when a scene is read: a file is no array of the shape above.
    """

    def __init__(self, root: str | Path, split: Literal["train", "val"] = "train", inverse_depth: bool = False) -> None:
        self.folder = Path(root) / split
        self.depth_map = InverseDepthMap if inverse_depth else DepthMap
        names = [path.stem for path in (self.folder / "image").glob("*.npy")]
        self.names = sorted(names, key=lambda name: (len(name), name))  # 2 before 10
        if not names:
            raise FileNotFoundError(f"there are no .npy files in {self.folder / 'image'}")

    def __len__(self) -> int:
        """Count the images."""
        return len(self.names)

    def read(self, index: int) -> tuple[Scene, str]:
        """Read a scene."""
        name = self.names[index]
        image = self._read("image", name, 3)
        if image is None:
            raise FileNotFoundError(f"there is no {self.folder / 'image' / name}.npy")
        scene: Scene = {"image": tv_tensors.Image(image.clamp(0, 1))}
        if (label := self._read("label", name, 1)) is not None:
            scene["labels"] = tv_tensors.Mask(torch.where(label < 0, IGNORED, label).long().squeeze(0))
        if (depth := self._read("depth", name, 1)) is not None:
            scene["depth"] = self.depth_map(depth.nan_to_num(0).clamp_min(0))
        if (normals := self._read("normal", name, 3)) is not None:
            scene["normals"] = NormalMap(normals.nan_to_num(0))
        return scene, str(self.folder / "*" / f"{name}.npy")

    def _read(self, kind: str, name: str, channels: int) -> Tensor | None:
        """One file as channels x H x W, float32; None if this kind is not there at all."""
        path = self.folder / kind / f"{name}.npy"
        if not path.parent.is_dir():
            return None
        try:
            array = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no {path}, but an image of that name") from None
        except ValueError as error:
            raise ValueError(f"{path} is no array of numpy's: {error}") from None
        array = array[..., None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[2] != channels or array.dtype.kind not in "fiub":
            expected = f"numbers of the shape H x W x {channels}"
            raise ValueError(f"{path} must hold {expected}; got {array.dtype} of {' x '.join(map(str, array.shape))}")
        return torch.from_numpy(array.astype(np.float32)).movedim(-1, 0)
