"""The layout of .npy files that MTAN's NYUv2 and Cityscapes come in (Liu et al. 2019)."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torchvision import tv_tensors

from inference import DataError
from multitask.data.files import read_array
from multitask.data.scenes import DepthMap, InverseDepthMap, NormalMap, Scene, Scenes
from training.data import split_folder

IGNORED = 255


class MTAN(Scenes):
    """Scenes of ``root/split/{image,label,depth,normal}/0.npy``, ``1.npy`` and so on, as MTAN's data sets have them.

    Images are H x W x 3 in [0, 1]; labels H x W, -1 where there is none; depth H x W x 1, 0 where unknown; normals
    H x W x 3, zeros where unknown; in any dtype. Only ``image`` must be there. The targets are named ``labels`` (255
    where there is none), ``depth`` and ``normals``.

    Args:
        root: the data set's folder.
        split: its folder in ``root``. MTAN's data sets have train and val; results on them are those of val.
        inverse_depth: whether the depth is inverse, as in Cityscapes.

    Raises:
        DataError: there are no images; when a scene is read: a file is missing or is no array of the shape above.
    """

    def __init__(self, root: Path | None, split: str, inverse_depth: bool = False) -> None:
        self.folder = split_folder(root, split)
        self.depth_map = InverseDepthMap if inverse_depth else DepthMap
        names = [path.stem for path in (self.folder / "image").glob("*.npy")]
        self.names = sorted(names, key=lambda name: (len(name), name))  # 2 before 10
        if not names:
            raise DataError(f"there are no .npy files in {self.folder / 'image'}; MTAN's splits are train and val")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def count_targets(self) -> Mapping[str, int]:
        """Return how many files each kind of target has."""
        counts = {
            target: len(list((self.folder / kind).glob("*.npy")))
            for target, kind in {"labels": "label", "depth": "depth", "normals": "normal"}.items()
        }
        return {target: count for target, count in counts.items() if count}

    def read(self, index: int) -> tuple[Scene, str]:
        """Read a scene."""
        name = self.names[index]
        scene: Scene = {"image": tv_tensors.Image(read_array(self.folder / "image" / f"{name}.npy", 3).clamp(0, 1))}
        if (label := self._read("label", name, 1)) is not None:
            scene["labels"] = tv_tensors.Mask(torch.where(label < 0, IGNORED, label).long().squeeze(0))
        if (depth := self._read("depth", name, 1)) is not None:
            scene["depth"] = self.depth_map(depth.clamp_min(0))
        if (normals := self._read("normal", name, 3)) is not None:
            scene["normals"] = NormalMap(normals)
        return scene, str(self.folder / "*" / name)

    def _read(self, kind: str, name: str, channels: int) -> Tensor | None:
        """Read one file as channels x H x W, float32; return None if this kind is not there at all."""
        path = self.folder / kind / f"{name}.npy"
        return read_array(path, channels) if path.parent.is_dir() else None
