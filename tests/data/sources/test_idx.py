"""idx files: MNIST's own, whose md5 is published, and every way in which such a file can be wrong."""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest

from kt2t.data.sources.idx import pictures_and_labels, read_idx
from kt2t.errors import DataError

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_the_real_files_are_the_official_ones(test_data):
    folder = test_data / "mnist"
    images, labels = pictures_and_labels(folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10_000, 28, 28) and labels[:5].tolist() == [7, 2, 1, 0, 4]
    whole = struct.pack(">BBBBIII", 0, 0, 8, 3, 10_000, 28, 28) + images.tobytes()
    assert hashlib.md5(whole).hexdigest() == "2646ac647ad5339dbf082846283269ea"


@pytest.mark.parametrize("write", [lambda data: data, gzip.compress])
def test_a_file_is_read_plain_and_gzip(tmp_path, write):
    file = tmp_path / "images"
    file.write_bytes(write(idx(PIXELS)))
    np.testing.assert_array_equal(read_idx(file, 3), PIXELS)


GOOD = idx(PIXELS)


@pytest.mark.parametrize(
    "data, told",
    [
        (b"", "no idx file: it begins with nothing"),
        (b"\x89PNG", "no idx file: it begins with 89 50 4e 47"),
        (b"\0\0\x0d" + GOOD[3:], "holds elements of type 0x0d"),
        (idx(PIXELS[0, 0]), "an array of 1 axes where 3 belong. Are two files exchanged"),
        (GOOD[:10], "ends within its header, after 10 of 16 bytes"),
        (GOOD[:-1], "is cut short: 2 × 3 × 4 bytes and its header make 40; it has 39"),
        (GOOD + b"\0\0", "is too long: .* make 40; it has 42"),
        (gzip.compress(GOOD)[:-6], "is a damaged gzip file"),
        (gzip.compress(GOOD)[:20] + b"\xff\xff" + gzip.compress(GOOD)[22:], "is a damaged gzip file"),
    ],
    ids=range(9),
)
def test_what_is_wrong_is_named(tmp_path, data, told):
    file = tmp_path / "images"
    file.write_bytes(data)
    with pytest.raises(DataError, match=told):
        read_idx(file, 3)


def test_a_missing_file_and_one_named_gz_that_is_none(tmp_path):
    with pytest.raises(DataError, match="'.*images' does not exist"):
        read_idx(tmp_path / "images", 3)
    (tmp_path / "images.gz").write_bytes(GOOD)
    with pytest.raises(DataError, match="named .gz but is no gzip"):
        read_idx(tmp_path / "images.gz", 3)


def test_pictures_and_labels_must_fit(tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(GOOD)
    labels.write_bytes(idx(np.array([1, 2, 3], np.uint8)))
    with pytest.raises(DataError, match="images' holds 2 pictures, '.*labels' 3 labels"):
        pictures_and_labels(images, labels)
    labels.write_bytes(idx(np.array([1, 10], np.uint8)))
    with pytest.raises(DataError, match="labels': label 1 is 10; the classes are 0 to 9"):
        pictures_and_labels(images, labels)
    images.write_bytes(idx(np.zeros((0, 28, 28), np.uint8)))
    labels.write_bytes(idx(np.zeros(0, np.uint8)))
    with pytest.raises(DataError, match="holds no pictures"):
        pictures_and_labels(images, labels)
