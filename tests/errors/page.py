"""All rows, and the page of docs/ that they make."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.errors import checkpoints, configurations, labels, options, pictures
from tests.errors.row import Row

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
INTRODUCTION = """# What errors say

Each of these was made and run: the line is what the command prints. Bad input ends with exit code 1, bad usage with 2.
`--debug` shows where in the code an error of exit code 1 comes from.

The commands run in a folder with two small samples to train on in `data`, the configuration `small.yaml` and the
checkpoint `small.ckpt`. `python -m tests.errors` makes this page again.
"""
SECTIONS: Mapping[str, Sequence[Row]] = {
    "Pictures": pictures.PICTURES,
    "Folders of pairs": pictures.FOLDERS,
    "Files to translate, and results": pictures.FILES,
    "Parquet files": labels.PARQUETS,
    "Scenes of several tasks": labels.LABELS,
    "Configurations": configurations.CONFIGURATIONS,
    "Classes that configurations name": configurations.CLASSES,
    "Checkpoints": checkpoints.CHECKPOINTS,
    "Files of weights": checkpoints.WEIGHT_FILES,
    "Options of a training": options.TRAINING,
    "Options of several tasks": options.SEVERAL,
    "Options of other commands": options.COMMANDS,
}
ROWS = [row for rows in SECTIONS.values() for row in rows]
HEAD = "| what is wrong | command | what is said | exit code |\n|---|---|---|---|\n"


def line_of(row: Row, said: str, code: int) -> str:
    """Return the line of a row in the page's table."""
    said = re.sub(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", "TIME", said)  # of a run's folder
    cells = [row.wrong, f"`{row.command}`", f"`{said}`", str(code)]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def page_of(lines: Mapping[Row, str]) -> str:
    """Return the page, with the lines of its tables."""
    tables = [f"\n## {title}\n\n{HEAD}{''.join(lines[row] for row in rows)}" for title, rows in SECTIONS.items()]
    return INTRODUCTION + "".join(tables)
