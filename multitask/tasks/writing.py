"""Where tasks write what they predict."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from inference.pictures.files import whole_or_not_at_all
from inference.sizes import Size


class Place(NamedTuple):
    """Where a task writes what it predicts for the pictures of one folder.

    Attributes:
        folder: of the results of all tasks.
        kind: what the task's files are called by: its target; or its name, where several tasks have one target.
    """

    folder: Path
    kind: str

    def file(self, name: str, ending: str) -> Path:
        """Return the file of a picture of this name."""
        return self.folder / self.kind / f"{name}{ending}"

    def shared(self, ending: str) -> Path:
        """Return the file of all pictures."""
        return self.folder / f"{self.kind}{ending}"


class Written(NamedTuple):
    """A picture whose values were written.

    Attributes:
        source: the picture's file.
        size: its height and width.
        kept: what ``Task.write`` returned.
    """

    source: Path
    size: Size
    kept: Any


def write_json(file: Path, content: Any) -> None:
    """Write plain values as JSON, whole or not at all."""
    with whole_or_not_at_all(file) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
