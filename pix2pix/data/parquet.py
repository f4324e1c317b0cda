"""Pairs in parquet files, as data sets on the Hugging Face hub come."""

import io
import re
from pathlib import Path
from typing import Any

from inference import DataError, Picture, open_picture
from inference.pictures import sizes_differ
from pix2pix.data.pairs import Pairs
from training.data import Names, Sources


class Parquet(Pairs):
    """A and B as two columns of encoded pictures in ``SPLIT.parquet``, ``SPLIT-00000-of-00002.parquet`` ... below root.

    A column holds the bytes of a PNG or JPEG file, or structs with a field ``bytes`` of them, as Hugging Face's
    ``Image`` does. The encoded pictures are held in memory.

    Args:
        root: the data set's folder.
        split: what the files' names begin with.
        column_a: the column of A; with none given, the first that holds pictures.
        column_b: the column of B; with none given, the second that holds pictures.
    """

    def __init__(self, root: Path, split: str, column_a: str | None = None, column_b: str | None = None) -> None:
        import pyarrow as arrow  # here: it is large, and other layouts do without
        from pyarrow import parquet

        pattern = re.compile(rf"{re.escape(split)}([-_.].*)?\.parquet")
        files = sorted(file for file in root.rglob("*.parquet") if pattern.fullmatch(file.name))
        if not files:
            raise DataError(
                f"{root}: no file {split}.parquet or {split}-*.parquet in or below this folder; rename yours"
            )
        try:
            schema = parquet.read_schema(files[0])
            pictures = [field.name for field in schema if _holds_pictures(arrow, field.type)]
            columns = _choose(files[0], pictures, schema.names, column_a, column_b)
            table = arrow.concat_tables(parquet.read_table(file, columns=columns) for file in files)
        except (arrow.ArrowException, OSError) as error:
            raise DataError(
                f"{files[0]}: damaged or no parquet file, replace it ({str(error).splitlines()[0]})"
            ) from None
        self.columns = [_encoded(arrow, table[column]) for column in columns]
        self.names = Names(f"{split}-{row:06}" for row in range(len(table)))
        self._sources = Sources(files, str(columns))
        if not self.names:
            raise DataError(f"{files[0]}: no rows; take another file")

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Decode the two pictures of one row."""
        name = self.names[index]
        a, b = (open_picture(io.BytesIO(column[index].as_py() or b""), name) for column in self.columns)
        if a.size != b.size:
            raise DataError(f"{name}: A has {sizes_differ(a, b)} as B; make them alike")
        return a, b

    def sources(self) -> Sources:
        """Return the files of all rows."""
        return self._sources


def _holds_pictures(arrow: Any, kind: Any) -> bool:
    if arrow.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))


def _encoded(arrow: Any, column: Any) -> Any:
    if not arrow.types.is_struct(column.type):
        return column
    return arrow.compute.struct_field(column, "bytes")


def _choose(file: Path, pictures: list[str], present: list[str], a: str | None, b: str | None) -> list[str]:
    for column in (a, b):
        if column is not None and column not in pictures:
            raise DataError(
                f"{file}: no pictures in a column {column!r}; take one of its columns, {', '.join(present)}"
            )
    others = [column for column in pictures if column not in (a, b)]
    chosen = [column if column is not None else (others.pop(0) if others else None) for column in (a, b)]
    if None in chosen:
        raise DataError(f"{file}: two columns of pictures are needed; its columns are {', '.join(present)}")
    return [column for column in chosen if column is not None]
