"""Reads the file of an offline W&B run: a LevelDB log of protocol buffers. (The package has no public reader.)"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import ArtifactRecord, Record, RunRecord

BLOCK, HEADER = 32 * 1024, 7


def records(file: Path) -> Iterator[Record]:
    """The file is blocks of 32 KiB; a record is one chunk (type 1) or a first, middle and last one (2, 3, 4)."""
    data, at, parts = file.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK  # what is left of a block is padding
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        parts += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def run_record(file: Path) -> RunRecord:
    """Give who the run is: its id, its name, and its sweep."""
    return next(record.run for record in records(file) if record.HasField("run"))


def artifacts(file: Path) -> list[ArtifactRecord]:
    return [record.artifact for record in records(file) if record.HasField("artifact")]


def read_summary(file: Path) -> dict[str, Any]:
    """Give the last value of each key of the summary, keys joined by dots."""
    updates = [update for record in records(file) for update in record.summary.update]
    return {".".join(update.nested_key) or update.key: json.loads(update.value_json) for update in updates}


def read_run(file: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Give the history, a dictionary for each row, and the configuration; keys joined by dots, values as JSON text."""
    history, config = [], {}
    for record in records(file):
        if record.HasField("history"):
            items = record.history.item
            history.append({".".join(item.nested_key) or item.key: item.value_json for item in items})
        for update in (record.config, record.run.config):
            config.update({".".join(item.nested_key) or item.key: item.value_json for item in update.update})
    return history, config
