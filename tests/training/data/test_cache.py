"""What a cache holds is what the files hold, whatever happens to them or to the process that writes it."""

import errno
import os
import signal
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from inference import DataError
from tests.training.forks import Fork
from training.data import CacheableDataset, Layout, Sources
from training.data.cache import kept_in_memory, kept_on_disk

Usage = namedtuple("Usage", "total used free")


class Numbers(Layout):
    """Files of a number each, in ``root/train``."""

    def __init__(self, root: Path, split: str = "train") -> None:
        self.files = sorted((root / split).iterdir())

    def __len__(self) -> int:
        return len(self.files)

    def sources(self) -> Sources | None:
        return Sources(self.files)


class Untold(Numbers):
    def sources(self) -> None:
        return None


class Samples(CacheableDataset[Numbers]):
    """Tensors of the numbers, and which were read from their files."""

    def __init__(self, layout: Numbers, options: str = "", skip: bool = False) -> None:
        super().__init__(layout, augment=False, bad=torch.zeros(len(layout), dtype=torch.bool) if skip else None)
        self.options = options
        self.read: list[int] = []

    def whole(self, index: int) -> dict[str, Tensor]:
        self.read.append(index)
        file = self.layout.files[index]
        if (text := file.read_text()) == "bad":
            raise DataError(f"{file}: damaged")
        return {"number": torch.full((2, 3), float(text)), "byte": torch.tensor(int(text), dtype=torch.uint8)}

    def settings(self) -> str:
        return self.options

    def sample(self, index: int, random: Generator | None) -> float:
        return (self.kept(index) or self.whole(index))["number"].mean().item()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four files: 0, 1, 2 and 3."""
    (tmp_path / "data" / "train").mkdir(parents=True)
    for number in range(4):
        (tmp_path / "data" / "train" / f"{number}.txt").write_text(str(number))
    return tmp_path / "data"


def on_disk(root: Path, options: str = "", workers: int = 0, skip: bool = False) -> Samples:
    samples = Samples(Numbers(root), options, skip)
    samples.records = kept_on_disk(samples, "train", root, workers)
    return samples


def values(samples: Samples) -> list[float]:
    """What the samples are, which must be in the cache."""
    before = len(samples.read)
    found = [samples[0, index] for index in range(len(samples))]
    assert len(samples.read) == before
    return found


def caches(root: Path) -> list[str]:
    return sorted(file.name for file in (root / "cache").iterdir() if file.name != ".lock")


def change(file: Path, text: str) -> None:
    """Write another text of the same length, later by a clock of any precision."""
    file.write_text(text)
    os.utime(file, (1, file.stat().st_mtime + 2))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_cache_on_disk_is_written_once(root: Path, workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert values(on_disk(root, workers=workers)) == [0, 1, 2, 3]
    assert capsys.readouterr().out == f"cache: 0.1 kB in {root}/cache for train\n"
    again = on_disk(root, workers=workers)
    assert again.read == []
    assert values(again) == [0, 1, 2, 3]
    assert capsys.readouterr().out == ""
    (name,) = caches(root)
    array = np.load(root / "cache" / name)  # as docs/data.md says
    assert array["number"].shape == (4, 2, 3)
    assert array["byte"].tolist() == [0, 1, 2, 3]
    assert array["there"].all()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_cache_in_memory(root: Path, workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    samples = Samples(Untold(root))
    samples.records = kept_in_memory(samples, "train", workers)
    assert capsys.readouterr().out == "cache: 0.1 kB of memory for train\n"
    assert values(samples) == [0, 1, 2, 3]
    assert not (root / "cache").exists()


@pytest.mark.parametrize("what", ["content", "more", "fewer", "name"])
def test_files_that_changed_are_read_again_and_the_old_cache_goes(root: Path, what: str) -> None:
    on_disk(root)
    (old,) = caches(root)
    files = root / "train"
    if what == "content":
        change(files / "2.txt", "7")
    elif what == "more":
        (files / "9.txt").write_text("9")
    elif what == "fewer":
        (files / "2.txt").unlink()
    else:
        (files / "0.txt").rename(files / "8.txt")
    expected = {"content": [0, 1, 7, 3], "more": [0, 1, 2, 3, 9], "fewer": [0, 1, 3], "name": [1, 2, 3, 0]}[what]
    assert values(on_disk(root)) == expected
    (new,) = caches(root)
    assert new != old


def test_a_run_that_uses_the_old_cache_goes_on_with_it(root: Path) -> None:
    running = on_disk(root)
    change(root / "train" / "2.txt", "7")
    on_disk(root)
    assert values(running) == [0, 1, 2, 3]


def test_caches_of_other_settings_stay_and_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on_disk(root, "load_size 286")
    (first,) = caches(root)
    capsys.readouterr()
    assert len(on_disk(root, "load_size 64").read) == 5  # the first tells what records are
    assert f"cache: 0.3 kB of train with other settings in {root}/cache; remove what is not needed: {first}\n" in (
        capsys.readouterr().out
    )
    assert len(caches(root)) == 2
    assert on_disk(root, "load_size 286").read == on_disk(root, "load_size 64").read == []


def test_other_splits_and_layouts_have_caches_of_their_own(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Others(Numbers):
        pass

    on_disk(root)
    samples = Samples(Others(root))
    kept_on_disk(samples, "train", root, 0)
    assert samples.read
    kept_on_disk(Samples(Numbers(root)), "train-2", root, 0)
    assert capsys.readouterr().out.count("other settings") == 1
    kept_on_disk(Samples(Numbers(root)), "some/folder", root, 0)
    assert len(caches(root)) == 4


def test_a_folder_that_was_moved_keeps_its_cache(root: Path) -> None:
    on_disk(root)
    moved = root.rename(root.with_name("elsewhere"))
    assert on_disk(moved).read == []


@pytest.mark.parametrize("length", [0, 100, -1])
def test_a_file_that_was_cut_is_written_again(root: Path, length: int) -> None:
    on_disk(root)
    (name,) = caches(root)
    file = root / "cache" / name
    os.truncate(file, length % file.stat().st_size)
    again = on_disk(root)
    assert again.read
    assert values(again) == [0, 1, 2, 3]


def test_a_bad_sample_ends_it_and_leaves_nothing(root: Path) -> None:
    change(root / "train" / "2.txt", "bad")
    for workers in 0, 1:
        with pytest.raises(DataError, match=r"train/2\.txt: damaged$"):
            on_disk(root, workers=workers)
        assert caches(root) == []
        with pytest.raises(DataError, match=r"train/2\.txt: damaged$"):
            kept_in_memory(Samples(Numbers(root)), "train", workers)


def test_where_bad_samples_are_skipped_their_files_are_asked_each_time(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in 0, 2:
        change(root / "train" / f"{number}.txt", "bad")
    samples = on_disk(root, skip=True)
    assert "cache: 2 of 4 of train are read from their files each time: they cannot be" in capsys.readouterr().out
    assert samples.bad is not None
    assert not samples.bad.any()  # what is left out depends on what the run has asked for, as without a cache
    samples.read.clear()
    assert [samples[0, index] for index in range(4)] == [1, 1, 3, 3]
    assert samples.bad.tolist() == [True, False, True, False]
    assert samples.read == [0, 2]
    for number in 1, 3:
        change(root / "train" / f"{number}.txt", "bad")
    assert on_disk(root, skip=True).records is None


def test_samples_that_do_not_fit_are_read_from_their_files(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Growing(Samples):
        def whole(self, index: int) -> dict[str, Tensor]:
            return {"number": torch.full((2, 3 + (index == 3)), float(index))}

    samples = Growing(Numbers(root))
    samples.records = kept_on_disk(samples, "train", root, 0)
    assert "cache: 1 of 4 of train are read from their files each time: " in capsys.readouterr().out
    assert [samples.kept(index) is None for index in range(4)] == [False, False, False, True]
    assert samples[0, 3] == 3


def test_a_cache_leaves_the_random_numbers_of_the_run_alone(root: Path) -> None:
    before = torch.get_rng_state()
    on_disk(root, workers=1)
    kept_in_memory(Samples(Numbers(root)), "train", 1)
    assert torch.equal(torch.get_rng_state(), before)


# --- What the machine does


def test_a_folder_that_cannot_be_written_is_told_with_what_to_do(root: Path) -> None:
    (root / "cache").touch()
    message = (
        f"{root}/cache: Not a directory, and the cache is written there; set data.cache to memory, or leave it out"
    )
    with pytest.raises(DataError) as error:
        on_disk(root)
    assert str(error.value) == message


def test_a_cache_that_is_there_needs_nothing_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk(root)

    def closed(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", closed)
    assert values(on_disk(root)) == [0, 1, 2, 3]
    with pytest.raises(DataError, match=r"cache: Read-only file system, and the cache is written there; set data"):
        on_disk(root, "other")


def test_a_disk_that_is_full_is_known_before_anything_is_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.cache.shutil.disk_usage", lambda place: Usage(9, 9, 7))
    with pytest.raises(
        DataError, match=r"cache: the cache of train needs 0\.1 kB, and 0\.0 kB are free; free some, or"
    ):
        on_disk(root)
    assert caches(root) == []


def test_a_disk_that_does_not_tell_that_it_is_full(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr("training.data.cache.os.posix_fallocate", full)
    with pytest.raises(
        DataError, match=r"cache: Disk quota exceeded, and the cache is written there; free some, or set"
    ):
        on_disk(root)
    assert caches(root) == []


def test_without_preallocation_the_file_is_as_large(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")  # as on macOS
    assert values(on_disk(root)) == [0, 1, 2, 3]


def test_a_disk_that_is_full_in_the_middle_is_told_by_a_worker(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opens = Path.open

    def full(file: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if mode == "r+b":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opens(file, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataError) as error:
        on_disk(root, workers=1)
    assert str(error.value).startswith(f"{root}/cache: No space left on device, and the cache is written there; free ")
    assert caches(root) == []


def test_too_little_shared_memory_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = Samples(Numbers(root))
    monkeypatch.setattr("training.data.cache.shutil.disk_usage", lambda place: Usage(9, 9, 7))
    with pytest.raises(
        DataError, match=r"train needs 0\.1 kB of shared memory, and /dev/shm has 0\.0 kB; give it more"
    ):
        kept_in_memory(samples, "train", 0)


def test_a_layout_that_does_not_tell_its_files_is_not_kept_on_disk(root: Path) -> None:
    with pytest.raises(DataError, match=r"data.cache disk: Untold does not say which files it reads; give it sources"):
        kept_on_disk(Samples(Untold(root)), "train", root, 0)
    with pytest.raises(
        DataError, match=r"data.cache disk: the data have no folder of their own; set data.cache to mem"
    ):
        kept_on_disk(Samples(Numbers(root)), "train", None, 0)


# --- Other processes


class Killed(Samples):
    """Kills its process in the middle."""

    def whole(self, index: int) -> dict[str, Tensor]:
        if index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().whole(index)


def write_and_be_killed(root: Path) -> None:
    kept_on_disk(Killed(Numbers(root)), "train", root, 0)


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_nothing_that_is_taken_for_whole(root: Path) -> None:
    assert Fork(write_and_be_killed, (root,), root.parent).wait().code == -signal.SIGKILL
    (left,) = caches(root)
    assert left.startswith(".train-")
    assert values(on_disk(root)) == [0, 1, 2, 3]
    (whole,) = caches(root)
    assert not whole.startswith(".")


class Watched(Samples):
    """Starts another process that needs the cache, and goes on when that waits for this one."""

    def whole(self, index: int) -> dict[str, Tensor]:
        if index == 2:
            root = self.layout.files[0].parents[1]
            os.mkfifo(root / "told")
            self.other = Fork(write_too, (root,), root)
            with (root / "told").open() as told:
                assert told.readline() == f"cache: waiting for another process, which writes in {root}/cache\n"
        return super().whole(index)


def write_too(root: Path) -> None:
    out = os.dup(1)
    fifo = os.open(root / "told", os.O_WRONLY)
    os.dup2(fifo, 1)
    os.close(fifo)
    samples = Samples(Numbers(root))
    samples.records = kept_on_disk(samples, "train", root, 0)
    os.dup2(out, 1)
    print(samples.read, values(samples), flush=True)


@pytest.mark.slow
def test_of_two_processes_one_writes_and_the_other_waits(root: Path) -> None:
    samples = Watched(Numbers(root))
    samples.records = kept_on_disk(samples, "train", root, 0)
    assert samples.other.wait().out == "[] [0.0, 1.0, 2.0, 3.0]\n"
    assert values(samples) == [0, 1, 2, 3]
