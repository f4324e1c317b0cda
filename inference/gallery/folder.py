"""The folder of a gallery: the page, the table of its metrics, and the full pictures."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from inference.gallery.page import About, Item, Shown, render
from inference.gallery.thumbnails import thumbnail
from inference.picture_table import FILE, write_picture_table
from inference.pictures import DataError, write_picture
from inference.pictures.files import whole_or_not_at_all

PAGE = "index.html"
THUMBNAILS = 14_000_000  # bytes of all thumbnails together, which are a third more as text
THUMBNAIL = 12_000  # bytes of one, where there are few
LONGEST = 120  # letters of a file's name


class GalleryFolder:
    """A gallery that is written picture by picture.

    Args:
        folder: to write to.
        count: how many items will be added; the more, the smaller their thumbnails.
        overwrite: whether a gallery that is there is replaced.

    Raises:
        DataError: there is one.
    """

    def __init__(self, folder: Path, count: int, overwrite: bool = False) -> None:
        if (folder / PAGE).exists() and not overwrite:
            raise DataError(f"{folder / PAGE}: exists already; choose another place with --out, or --overwrite")
        self.folder = folder
        self.count = count
        self.items: list[Item] = []
        self._taken: set[str] = set()

    def add(
        self,
        name: str,
        pictures: Mapping[str, Image.Image],
        metrics: Mapping[str, float],
        files: Mapping[str, Path] | None = None,
    ) -> None:
        """Add the pictures of one name.

        Args:
            name: any text; files are called so as far as file systems allow it.
            pictures: by their columns, gray or RGB of 8 bits.
            metrics: by their names.
            files: of those pictures that are on disk already, and that browsers show; the others are written.
        """
        stem = self._free(name)
        most = min(THUMBNAILS // max(self.count * len(pictures), 1), THUMBNAIL)
        shown = {}
        for column, picture in pictures.items():
            file = (files or {}).get(column)
            if file is None:
                file = self.folder / _safe(column) / f"{stem}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                write_picture(file, np.array(picture.convert("RGB")))
            link = quote(Path(os.path.relpath(file.resolve(), self.folder.resolve())).as_posix())
            shown[column] = Shown(thumbnail(picture, most), link, picture.size)
        self.items.append(Item(name, shown, metrics))

    def write(self, about: About) -> Path:
        """Write the page, and the table where there are metrics.

        Args:
            about: what the page says.

        Returns:
            The file of the page.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if about.better:
            columns = {name: [item.metrics.get(name, float("nan")) for item in self.items] for name in about.better}
            write_picture_table(self.folder / FILE, [item.name for item in self.items], columns)
        page = self.folder / PAGE
        with whole_or_not_at_all(page) as unfinished:
            unfinished.write_text(render(about, self.items), encoding="utf-8")
        return page

    def _free(self, name: str) -> str:
        """Return a name for files that no other item has, also where upper and lower case are alike."""
        safe, number = _safe(name), 1
        while (stem := safe if number == 1 else f"{safe}-{number}").lower() in self._taken:
            number += 1
        self._taken.add(stem.lower())
        return stem


def _safe(name: str) -> str:
    return re.sub(r"[^\w.()+,=@~ -]", "_", name).strip(". ")[:LONGEST] or "_"
