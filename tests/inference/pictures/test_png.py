import zlib
from pathlib import Path

import numpy as np
import pytest

from inference import DataError, open_picture
from inference.pictures.png import COLOR_TYPES, write_deep_png


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_bit_of_16_is_kept(channels: int, tmp_path: Path) -> None:
    array = np.arange(65536, dtype=np.uint16).reshape(128, 512, 1).repeat(channels, 2) ^ np.arange(
        channels, dtype=np.uint16
    )
    write_deep_png(tmp_path / "a.png", array)
    assert np.array_equal(open_picture(tmp_path / "a.png").read(), array)


def test_filtered_rows_are_read(tmp_path: Path) -> None:
    """As other programs write them: each row the difference to the pixel on the left."""
    array = np.random.default_rng(0).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    write_deep_png(tmp_path / "a.png", array)
    plain = array.astype(">u2").reshape(4, -1).view(np.uint8)
    shifted = np.pad(plain, ((0, 0), (6, 0)))[:, :-6]
    rows = b"".join(b"\1" + row.tobytes() for row in plain - shifted)
    content = (tmp_path / "a.png").read_bytes()
    data = zlib.compress(rows)
    chunk = len(data).to_bytes(4, "big") + b"IDAT" + data + zlib.crc32(b"IDAT" + data).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content[:33] + chunk + content[-12:])
    assert np.array_equal(open_picture(tmp_path / "a.png").read(), array)


def test_gray_with_transparency_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLOR_TYPES, 2, 4)
    write_deep_png(tmp_path / "a.png", np.zeros((2, 2, 2), np.uint16))
    with pytest.raises(DataError, match=r"a\.png: gray of 16 bits with transparency; save it as TIFF"):
        open_picture(tmp_path / "a.png")
