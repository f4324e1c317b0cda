"""What a table was measured on."""

import importlib.metadata
import platform
from pathlib import Path

import torch


def machine(*packages: str) -> str:
    """Return the processor and its widest vectors, the threads, and the versions of Python, torch and more packages."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = fields.get("flags", "").split()
    vectors = next((word for word, flag in (("AVX-512", "avx512f"), ("AVX2", "avx2")) if flag in flags), "no AVX2")
    processor = fields.get("model name") or platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", *packages)]
    of_threads = "one thread" if threads == 1 else f"{threads} threads"
    return f"{processor} ({vectors}), {of_threads}; Python {platform.python_version()}, {', '.join(versions)}"
