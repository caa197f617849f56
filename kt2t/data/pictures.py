"""Pictures from files and as PNG files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's name for so many channels of 8 bits


def read_picture(path: str | Path, height: int, width: int, channels: int) -> np.ndarray:
    """A picture file as an array, in grey or colour as the channels say.

    Shapes:
        a file (PNG, JPEG, …) → (height, width, channels) uint8

    Raises:
        DataError: The file is missing, no picture, damaged, or of another size.
    """
    from PIL import Image, UnidentifiedImageError

    require_regular(Path(path))
    try:
        with Image.open(path) as picture:
            size = (picture.height, picture.width)
            if size != (height, width):
                raise DataError(
                    f"'{path}' is {size[1]} pixels wide and {size[0]} high; the model reads {width} by {height}. Resize it."
                )
            array = np.asarray(picture.convert(MODES.get(channels, "RGB")), np.uint8)
    except UnidentifiedImageError:
        raise DataError(f"'{path}' is no picture: neither PNG, JPEG nor another known format.") from None
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"'{path}' is a damaged picture: {error}.") from error
    return array.reshape(height, width, -1)[..., :channels]


def png(value: Any) -> bytes:
    """A picture as the bytes of a PNG file.

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
