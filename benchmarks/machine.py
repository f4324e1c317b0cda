"""What a table was measured on, and the clock that it was measured by."""

import importlib.metadata
import platform
import time
from pathlib import Path

import torch


def now(device: torch.device) -> float:
    """Return seconds: the processor's of this process, or with a GPU those of a clock, when it has done its work."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def machine(*packages: str, device: torch.device | None = None) -> str:
    """Return the processor and its widest vectors, the threads, and the versions of Python, torch and more packages.

    Args:
        packages: whose versions are named beside torch's.
        device: a GPU, which is named first.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = fields.get("flags", "").split()
    vectors = next((word for word, flag in (("AVX-512", "avx512f"), ("AVX2", "avx2")) if flag in flags), "no AVX2")
    processor = fields.get("model name") or platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", *packages)]
    of_threads = "one thread" if threads == 1 else f"{threads} threads"
    card = "" if device is None or device.type == "cpu" else f"{torch.cuda.get_device_name(device)}; "
    return f"{card}{processor} ({vectors}), {of_threads}; Python {platform.python_version()}, {', '.join(versions)}"
