"""What is in a figure: its curves, and its colors."""

import io

import numpy as np
from matplotlib.figure import Figure


def curves(figure: Figure, panel: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {str(line.get_label()): line.get_data() for line in figure.axes[panel].lines}


def pixels(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="rgba", dpi=40)
    return file.getvalue()


def color_at(figure: Figure, x: float, y: float) -> list[int]:
    """The colour from 0 to 255 of a point, in coordinates of the first panel's data."""
    width, height = (int(size * 40) for size in figure.get_size_inches())
    picture = np.frombuffer(pixels(figure), dtype=np.uint8).reshape(height, width, 4)
    column, row = figure.axes[0].transData.transform((x, y)) * 40 / figure.dpi
    return picture[height - 1 - int(row), int(column), :3].tolist()
