"""Disks that are full from the start, that fill up in the middle of a run, or that nobody may write to."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.soak.mounts import in_a_namespace, tmpfs
from tests.soak.runs import LAST, Row, Trial, state_of, uninterrupted
from tests.training.forks import Fork, run_command
from tests.training.states import differences

FULL = r"{}: error: \S*: No space left on device; free some, or choose another disk with --runs{}.*\n"
CLOSED = r"{}: error: \S*: Read-only file system; choose another place, such as --runs FOLDER.*\n"


def full_at_the_start(program: str, folder: Path) -> Row:
    """Start a run where there is no space at all."""
    trial = Trial(program, folder, "full")
    ended = Fork(_on_a_disk, (program, trial.words, "4k", False), trial.folder).wait()
    held = ended.code == 1 and re.fullmatch(FULL.format(program, ""), ended.err) is not None
    return Row(f"disk full at the start, {program}", "1 run", "one line, exit code 1" if held else str(ended), held)


def closed(program: str, folder: Path) -> Row:
    """Start a run where nobody may write."""
    trial = Trial(program, folder, "closed")
    ended = Fork(_on_a_disk, (program, trial.words, "4k", True), trial.folder).wait()
    held = ended.code == 1 and re.fullmatch(CLOSED.format(program), ended.err) is not None
    return Row(f"read-only folder, {program}", "1 run", "one line, exit code 1" if held else str(ended), held)


def fills_up(program: str, folder: Path) -> Row:
    """Let a disk run full in the second epoch; then give it more space, and go on."""
    expected = uninterrupted(program, folder)
    (whole,) = folder.glob(f"{program}-uninterrupted/{LAST}")
    size = f"{whole.stat().st_size * 5 // 2048}k"  # for a checkpoint, the best one, and half of the next
    trial = Trial(program, folder, "fills-up")
    ended = Fork(_fill, (program, trial.words, size), trial.folder).wait()
    line = re.fullmatch(FULL.format(program, "; resume with --ckpt_path .*/last.ckpt"), ended.err)
    unlike = differences(trial.outcome(), expected) if ended.code == 0 else []
    held = ended.code == 0 and line is not None and not unlike
    found = "one line, exit code 1, last.ckpt whole, resumed; 0 unlike" if held else f"{ended}; {unlike}"
    return Row(f"disk full in the middle of a run, {program}", "1 run", found, held)


def _on_a_disk(program: str, words: list[str], size: str, closed: bool) -> None:
    in_a_namespace()
    tmpfs(Path("runs"), size, closed)
    run_command(program, words)


def _fill(program: str, words: list[str], size: str) -> None:
    """Run a command on a small disk, which it must not survive, then go on with more space; leave a copy."""
    in_a_namespace()
    disk = Path("runs")
    tmpfs(disk, size)
    try:
        run_command(program, words)
    except SystemExit as stopped:
        print(stopped.code, file=sys.stderr)
    (last,) = Path().glob(LAST)
    state_of(last)
    subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
    run_command(program, ["fit", "--ckpt_path", str(last)])
    shutil.copytree(disk, "kept")
    subprocess.run(["umount", str(disk)], check=True)
    disk.rmdir()
    Path("kept").rename(disk)
