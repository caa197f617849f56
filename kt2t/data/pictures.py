"""Reads picture files and writes PNG files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.sources.contents import whole_file
from kt2t.data.sources.pictures import check_picture
from kt2t.errors import DataError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's name for so many channels of 8 bits


def read_picture(path: str | Path, height: int, width: int, channels: int) -> np.ndarray:
    """Reads a picture file as an array, in grey for 1 channel or colour for 3.

    Shapes:
        a file (PNG, JPEG, …) → (height, width, channels) uint8; 1 or 3 channels, as `decode_picture` makes them

    Raises:
        DataError: The file is missing, no picture, damaged, or of another size.
    """
    array = check_picture(whole_file(Path(path)), channels)
    found = array.shape[:2]
    if found != (height, width):
        raise DataError(
            f"'{path}' is {found[1]} pixels wide and {found[0]} high; the model reads {width} by {height}. Resize it."
        )
    return array


def png(value: Any) -> bytes:
    """Encodes a picture as a PNG file.

    Shapes:
        value (height, width, channels) from 0 to 255; other than 1, 3 or 4 channels are shown as grey, their mean
    """
    from PIL import Image

    array = np.clip(np.asarray(value), 0, 255)
    if array.shape[-1] not in MODES:
        array = array.mean(-1, keepdims=True)
    array = array.astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(held, format="PNG")
    return held.getvalue()
