"""What the machine does to a run is told in a line; other errors are not."""

import errno
import logging
import os
import re
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training.faults import OUT_OF_SHARED_MEMORY, LostProcesses, explain

WORKER = "DataLoader worker (pid 77) is killed by signal: {}. "  # as torch says it
ALLOCATE = "unable to allocate shared memory(shm) for file </torch_7_5_0>: No space left on device (28)"
GLOO = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:30811"


def os_error(number: int, file: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), file)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (os_error(errno.ENOSPC, "a.ckpt"), r"a\.ckpt: No space left on device; free some, or choose another .* --runs"),
        (os_error(errno.ENOSPC), "No space left on device; free some"),
        (os_error(errno.EROFS, "runs/a"), "runs/a: Read-only file system; choose another place, such as --runs"),
        (os_error(errno.EACCES, "runs/a"), "runs/a: Permission denied; choose another place"),
        (os_error(errno.ENOENT, "a.yaml"), r"a\.yaml: No such file or directory; choose another place$"),
        (RuntimeError(WORKER.format("Killed")), "worker 77 was killed, .* memory is short; lower --data.num_workers"),
        (RuntimeError(WORKER.format("Bus error")), re.escape(OUT_OF_SHARED_MEMORY)),
        (
            RuntimeError(f"Caught RuntimeError in worker process 0.\n{ALLOCATE}"),
            re.escape(OUT_OF_SHARED_MEMORY),
        ),
        (RuntimeError(WORKER.format("Segmentation fault")), r"worker 77 ended by a signal \(Segmentation fault\); "),
        (
            RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"),
            "worker 7, 8 ended; --data",
        ),
        (RuntimeError(GLOO), "another process of the run is gone "),
        (torch.OutOfMemoryError("CUDA out of memory."), r"memory is full; lower data\.batch_size"),
    ],
    ids=lambda value: None if isinstance(value, BaseException) else value[:20],
)
def test_a_fault_says_what_to_try(error: BaseException, line: str) -> None:
    error.add_note("resume with --ckpt_path last.ckpt")
    said = explain(error)
    assert said is not None
    assert re.match(f"(the loader's |the device's )?{line}", said.removesuffix("; resume with --ckpt_path last.ckpt"))
    assert said.endswith("; resume with --ckpt_path last.ckpt")
    assert "\n" not in said


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("lr"), KeyError("seg")])
def test_what_is_no_fault_of_the_machine_is_not_explained(error: Exception) -> None:
    assert explain(error) is None


def test_the_error_that_began_it_is_told_and_not_what_failed_after_it() -> None:
    """On a full disk the last curves and metrics fail, too."""
    with pytest.raises(OSError, match="No space") as raised:
        try:
            raise os_error(errno.ENOSPC, "last.ckpt")
        finally:
            raise os_error(errno.ENOSPC)
    assert (explain(raised.value) or "").startswith("last.ckpt: No space left on device")


def test_a_worker_that_is_killed_while_a_checkpoint_is_written_is_told() -> None:
    """The loader's signal handler raises wherever the program is, and torch.save then fails once more."""

    class Killed(BytesIO):
        def write(self, data: Any) -> int:
            if self.tell():
                raise RuntimeError(WORKER.format("Killed"))
            return super().write(data)

    with pytest.raises(RuntimeError, match="unexpected pos") as caught:
        torch.save({"weights": torch.zeros(100_000)}, Killed())
    assert "worker 77 was killed" in str(explain(caught.value))


def test_out_of_shared_memory_is_found_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Semaphores are files in /dev/shm, too; the error does not say so."""
    little = SimpleNamespace(total=65536, used=65536, free=0)
    monkeypatch.setattr("training.faults.shutil.disk_usage", lambda place: little if place == "/dev/shm" else None)
    assert explain(os_error(errno.ENOSPC)) == OUT_OF_SHARED_MEMORY
    assert (explain(os_error(errno.ENOSPC, "a.ckpt")) or "").startswith("a.ckpt: No space left")


def test_a_process_that_lightning_kills_the_others_for_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    message = "[rank: 1] Child process with PID 77 terminated with code -9. Forcefully terminating all other processes"
    for text in message, "something else":
        LostProcesses("pix2pix").emit(logging.LogRecord("launcher", logging.INFO, "", 0, text, None, None))
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(
        "pix2pix: error: another process of the run is gone (PID 77 terminated with code -9); resume"
    )
