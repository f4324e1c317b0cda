import errno
import os
from pathlib import Path

import pytest

from training.whole_files import whole_file


def write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_writes_into_new_folders_and_over_old_files(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    for text in "one", "two":
        write(path, text)
        assert path.read_text() == text
    assert names(path.parent) == ["b.txt"]


def test_an_old_file_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    """Who has the old file open, as a process that loads it does, goes on to see the old one, whole."""
    path = tmp_path / "b.txt"
    write(path, "old")
    with path.open() as file:
        write(path, "newer")
        assert file.read() == "old"


def test_a_disk_that_is_full_leaves_the_old_file_and_is_told_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "b.txt"
    write(path, "old")
    monkeypatch.setattr("training.whole_files.os.fsync", full)
    with pytest.raises(OSError, match=r"b\.txt") as raised:
        write(path, "new")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["b.txt"]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    for left in ".b.1.txt", ".b.77.txt", ".other.1.txt":
        (tmp_path / left).touch()
    write(tmp_path / "b.txt", "new")
    assert names(tmp_path) == [".other.1.txt", "b.txt"]
