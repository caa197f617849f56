"""Reads idx files, the format of MNIST: an array of bytes after a header with its sizes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from kt2t.data.sources.lines import GZIP
from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError

UNSIGNED_BYTES = 8  # the code of the element type; MNIST and its kin have no other
_LARGEST = 1 << 31


def read_idx(path: str | Path, rank: int) -> np.ndarray:
    """Reads the array of an idx file, plain or gzip.

    The file is two zero bytes, the code of the element type, the number of axes, the size of each axis (four bytes,
    big-endian), then the elements.

    Shapes:
        → (size, …) uint8, of `rank` axes

    Args:
        path: The file. A gzip file is known by its first bytes.
        rank: How many axes there must be: 3 for pictures, 1 for labels.

    Raises:
        DataError: The file is missing, empty, damaged, cut short or too long, or is of another type or rank.

    Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits, "File formats".
    """
    path = Path(path)
    data = _read(path)
    header = 4 + 4 * rank
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(f"'{path}' is no idx file: it begins with {data[:4].hex(' ') or 'nothing'}, not with 00 00 08.")
    if data[2] != UNSIGNED_BYTES:
        raise DataError(f"'{path}' holds elements of type 0x{data[2]:02x}. kt2t reads unsigned bytes, type 0x08.")
    if data[3] != rank:
        raise DataError(f"'{path}' holds an array of {data[3]} axes where {rank} belong. Are two files exchanged?")
    if len(data) < header:
        raise DataError(f"'{path}' ends within its header, after {len(data)} of {header} bytes. Fetch it again.")
    shape = struct.unpack_from(f">{rank}I", data, 4)
    wanted = header + math.prod(shape)
    if len(data) != wanted:
        sizes = " × ".join(f"{size:,}" for size in shape)
        how = "is cut short" if len(data) < wanted else "is too long"
        raise DataError(f"'{path}' {how}: {sizes} bytes and its header make {wanted:,}; it has {len(data):,}.")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def pictures_and_labels(pictures: str | Path, labels: str | Path, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures from one idx file and their labels from another.

    Shapes:
        → (count, height, width) uint8, (count,) uint8 from 0 to classes - 1

    Raises:
        DataError: See `read_idx`; or the counts differ, are zero, or a label is too large.
    """
    images, numbers = read_idx(pictures, 3), read_idx(labels, 1)
    if len(images) != len(numbers):
        raise DataError(f"'{pictures}' holds {len(images)} pictures, '{labels}' {len(numbers)} labels.")
    if not images.size:
        raise DataError(f"'{pictures}' holds no pictures: its sizes are {images.shape}.")
    if numbers.max() >= classes:
        first = int(np.argmax(numbers >= classes))
        raise DataError(f"'{labels}': label {first} is {numbers[first]}; the classes are 0 to {classes - 1}.")
    return images, numbers


def _read(path: Path) -> bytes:
    require_regular(path)
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == GZIP
        if path.suffix == ".gz" and not zipped:
            raise DataError(f"'{path}' is named .gz but is no gzip file. Rename it, or fetch it again.")
        with gzip.open(path) if zipped else open(path, "rb") as file:
            return file.read(_LARGEST)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"'{path}' is a damaged gzip file: {error}. Fetch it again.") from error
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error
