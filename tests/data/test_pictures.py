"""Pictures from files and back."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from kt2t.data.pictures import png, read_picture
from kt2t.errors import DataError


@pytest.fixture
def array():
    return np.random.default_rng(3).integers(0, 256, (6, 9, 3)).astype("uint8")


def test_there_and_back(array, tmp_path):
    (tmp_path / "colour.png").write_bytes(png(array))
    assert (read_picture(tmp_path / "colour.png", 6, 9, 3) == array).all()
    (tmp_path / "grey.png").write_bytes(png(array[..., :1]))
    found = read_picture(tmp_path / "grey.png", 6, 9, 1)
    assert found.shape == (6, 9, 1) and (found == array[..., :1]).all()
    assert (read_picture(tmp_path / "grey.png", 6, 9, 3) == array[..., :1]).all(), "grey in three channels"


def test_what_a_png_holds(array):
    with Image.open(io.BytesIO(png(array))) as picture:
        assert (picture.width, picture.height, picture.mode) == (9, 6, "RGB")
    with Image.open(io.BytesIO(png(np.array([[[300.0, -5.0]]])))) as picture:
        assert picture.getpixel((0, 0)) == 127, "two channels are one grey, their mean; values are cut to 0 and 255"


def test_files_that_are_not_that_picture(array, tmp_path):
    data = png(array)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(DataError, match="a.png' is 9 pixels wide and 6 high; the model reads 28 by 28. Resize it"):
        read_picture(tmp_path / "a.png", 28, 28, 3)
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DataError, match="text.png' cannot be read as a picture"):
        read_picture(tmp_path / "text.png", 6, 9, 3)
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="cut.png' is a damaged PNG"):
        read_picture(tmp_path / "cut.png", 6, 9, 3)
    with pytest.raises(DataError, match="none.png' does not exist"):
        read_picture(tmp_path / "none.png", 6, 9, 3)
