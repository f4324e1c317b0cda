"""Disks that are small or closed, seen by one process alone."""

import ctypes
import os
import subprocess
from pathlib import Path

NEW_MOUNTS = 0x00020000  # CLONE_NEWNS of Linux


def may_mount() -> bool:
    """Return whether this process may mount: root's alone, and not in every container."""
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


def in_a_namespace() -> None:
    """Hide what this process mounts from others; it ends with the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def tmpfs(place: Path, size: str, closed: bool = False) -> None:
    """Mount an empty disk of a size, such as 64k; ``closed`` to writers."""
    place.mkdir(exist_ok=True)
    options = f"size={size}{',ro' if closed else ''}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
