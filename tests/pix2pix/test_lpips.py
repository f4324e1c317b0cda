"""Files that are no AlexNet; what LPIPS measures is in test_set_metrics.py."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pix2pix.lpips import build_lpips


def test_a_file_that_is_no_alexnet_is_one_line_and_runs_no_code(tmp_path: Path) -> None:
    file, run = tmp_path / "alexnet.pth", tmp_path / "run"
    torch.save({"code": Touch(run)}, file)
    with pytest.raises(ValueError, match=r"weights .*alexnet.pth are not a file written by torch.save"):
        build_lpips(file)
    assert not run.exists()
    with pytest.raises(FileNotFoundError, match=r"weights must be a file; there is no .*missing.pth"):
        build_lpips(tmp_path / "missing.pth")
    torch.save({"features.0.weight": torch.zeros(1)}, file)
    with pytest.raises(
        ValueError, match=r"metrics.alexnet: .*alexnet.pth: Error.* loading state_dict for AlexNet"
    ) as error:
        build_lpips(file)
    assert "\n" not in str(error.value)


class Touch:
    """What writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)
