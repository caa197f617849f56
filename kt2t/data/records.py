"""Record files: the arrays of each example, in ArrayRecord shards with random access and checksums."""

from __future__ import annotations

import functools
import math
import os
import struct
import threading
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.disk import sha256
from kt2t.errors import DataError
from kt2t.features import flat

SHARD_BYTES = 64 * 2**20
# Not compressed: one example is too short to shrink much (captions by 15 %), and zstd makes writing it take five times as long.
_EACH_BY_ITSELF = "group_size:1,uncompressed"
Arrays = dict[str, np.ndarray]
Columns = Mapping[str, Sequence[np.ndarray]]
Layout = dict[str, dict[str, Any]]


def layout_of(features: Mapping[str, Any]) -> Layout:
    """Returns the fields of a record in the order of storage: `{field: {"dtype": …, "rank": …, "varies": …}}`.

    A dict of features is stored field by field, as `targets.KEY`.
    """
    return {
        field: {"dtype": feature.dtype, "rank": len(feature.shape), "varies": feature.has_segments}
        for field, feature in sorted(flat(features).items())
    }


def is_nested(features: Mapping[str, Any]) -> bool:
    """Returns whether a field, such as `targets`, is a dict of features."""
    return any(isinstance(feature, Mapping) for feature in features.values())


def nested(values: Arrays, features: Mapping[str, Any]) -> dict[str, Any]:
    """Undoes `flat`: collects the values named `targets.KEY` in a dict under `targets`."""
    if not is_nested(features):
        return values
    spread = {f"{name}.{key}": (name, key) for name, of in features.items() if isinstance(of, Mapping) for key in of}
    found: dict[str, Any] = {}
    for field, value in values.items():
        if field in spread:
            name, key = spread[field]
            found.setdefault(name, {})[key] = value
        else:
            found[field] = value
    return found


def pack(columns: Columns, layout: Layout) -> Iterator[bytes]:
    """Encodes each example as bytes: a crc32, then the sizes and values of each field, little-endian, padded to 4 bytes.

    Args:
        columns: For each field, the arrays of all examples; at least one example.
        layout: See `layout_of`.
    """
    parts = [part for field, kind in layout.items() for part in _parts(columns[field], kind)]
    for of_one in zip(*parts, strict=True):
        body = b"".join(of_one)
        yield zlib.crc32(body).to_bytes(4, "little") + body


def _parts(column: Sequence[np.ndarray], kind: Mapping[str, Any]) -> Iterator[Iterable[bytes]]:
    """The bytes of one field of each example: its sizes, then its values, then the padding to 4 bytes."""
    rank, dtype = kind["rank"], _stored(kind["dtype"])
    if rank:
        sizes, width = np.array([values.shape for values in column], "<u4").tobytes(), 4 * rank
        yield (sizes[start : start + width] for start in range(0, len(sizes), width))
    yield (np.asarray(values, dtype).tobytes() for values in column)
    if dtype.itemsize % 4:
        yield (bytes(-values.size * dtype.itemsize % 4) for values in column)


def unpack(record: bytes, layout: Layout) -> Arrays:
    """Decodes the bytes of an example that `pack` encoded; the arrays are views of the bytes.

    Raises:
        ValueError: The bytes are not what was written.
    """
    verify(record)
    example, place = {}, 4
    for field, kind in layout.items():
        shape = struct.unpack_from(f"<{kind['rank']}I", record, place)
        place += 4 * kind["rank"]
        dtype = _stored(kind["dtype"])
        count = math.prod(shape)
        example[field] = np.frombuffer(record, dtype, count, place).reshape(shape)
        place += -(-count * dtype.itemsize // 4) * 4
    if place != len(record):
        raise ValueError(f"it has {len(record)} bytes; its fields take {place}")
    return example


@functools.cache
def _stored(dtype: str) -> np.dtype[Any]:
    return np.dtype(dtype).newbyteorder("<")


def verify(record: bytes) -> None:
    """Compares a record's crc32 with that of its content.

    Raises:
        ValueError: They differ.
    """
    if len(record) < 4 or struct.unpack_from("<I", record)[0] != zlib.crc32(memoryview(record)[4:]):
        raise ValueError("its crc32 does not match")


class RecordWriter:
    """Writes the records of one split in shards of about 64 MB, and the lengths of the fields of variable length.

    Args:
        folder: The folder of the files.
        split: The files' names begin with it.
        layout: See `layout_of`.
    """

    def __init__(self, folder: Path, split: str, layout: Layout) -> None:
        self.folder = folder
        self.split = split
        self.layout = layout
        self.count = 0
        self._counts: list[int] = []
        self._lengths = {field: array("i") for field, kind in layout.items() if kind["varies"]}
        self._writer: Any = None
        self._bytes = 0

    def write(self, columns: Columns, lengths: Mapping[str, Iterable[int]] | None = None) -> None:
        """Appends examples, at least one.

        Args:
            columns: For each field, the arrays of all examples.
            lengths: Lengths to note for fields that the reader transforms, in place of their stored lengths.
        """
        for record in pack(columns, self.layout):
            if self._writer is None or self._bytes >= SHARD_BYTES:
                self._next_shard()
            self._writer.write(record)
            self._bytes += len(record)
            self._counts[-1] += 1
            self.count += 1
        stored = {field: map(len, columns[field]) for field, kind in self.layout.items() if kind["varies"]}
        for field, values in {**stored, **(lengths or {})}.items():
            self._lengths.setdefault(field, array("i")).extend(values)

    def close(self) -> dict[str, Any]:
        """Finishes the files and returns their note for the manifest."""
        if self._writer is None:
            self._next_shard()
        self._writer.close()
        names = [f"{self.split}-{k:05d}-of-{len(self._counts):05d}.arrayrecord" for k in range(len(self._counts))]
        shards = []
        for number, (name, count) in enumerate(zip(names, self._counts, strict=True)):
            os.rename(self._part(number), self.folder / name)
            shards.append({"records": count, **file_note(self.folder / name)})
        lengths = self.folder / f"{self.split}.lengths.npz"
        columns: dict[str, Any] = {field: np.frombuffer(values, np.int32) for field, values in self._lengths.items()}
        np.savez(lengths, **columns)
        return {"records": self.count, "shards": shards, "lengths": file_note(lengths)}

    def _next_shard(self) -> None:
        from array_record.python.array_record_module import ArrayRecordWriter

        if self._writer is not None:
            self._writer.close()
        self._writer = ArrayRecordWriter(str(self._part(len(self._counts))), _EACH_BY_ITSELF)
        self._counts.append(0)
        self._bytes = 0

    def _part(self, number: int) -> Path:
        return self.folder / f"{self.split}-{number:05d}.part"


class Records:
    """The records of one split of a prepared folder, read by index.

    Args:
        folder: The prepared folder.
        note: The split's note in the manifest.
        layout: The fields of a record; see `layout_of`.
    """

    def __init__(self, folder: Path, note: Mapping[str, Any], layout: Layout) -> None:
        self.folder = folder
        self.layout = layout
        self._note = note
        self._ends = np.cumsum([shard["records"] for shard in note["shards"]])
        self._readers: dict[int, Any] = {}
        self._lock = threading.Lock()
        self.lengths = self._read_lengths()

    def __len__(self) -> int:
        return int(self._note["records"])

    @property
    def mean_bytes(self) -> float:
        """Mean size of a record in bytes."""
        return float(sum(shard["bytes"] for shard in self._note["shards"]) / max(1, len(self)))

    def read(self, indices: Sequence[int] | np.ndarray) -> list[Arrays]:
        """Reads the examples at these indices, in this order.

        Raises:
            DataError: A record is damaged; named by shard and index.
        """
        shards, numbers = self._places(indices)
        examples: list[Arrays] = [{} for _ in shards]
        for shard in np.unique(shards).tolist():
            places = np.flatnonzero(shards == shard)
            inside = numbers[places].tolist()
            for place, number, record in zip(places.tolist(), inside, self._raw(shard, inside), strict=True):
                examples[place] = self._unpacked(shard, number, record)
        return examples

    def places(self, indices: Sequence[int] | np.ndarray) -> list[tuple[str, int]]:
        """Returns, for each index, the name of the file with this record, and the record's number in that file, from 0."""
        shards, numbers = self._places(indices)
        files = [shard["file"] for shard in self._note["shards"]]
        return [(files[shard], number) for shard, number in zip(shards.tolist(), numbers.tolist(), strict=True)]

    def _places(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The shard of each record, and its number in it."""
        indices = np.asarray(indices, np.int64)
        shards = np.searchsorted(self._ends, indices, side="right")
        return shards, indices - np.concatenate([[0], self._ends])[shards]

    def _read_lengths(self) -> dict[str, np.ndarray]:
        path = self.folder / self._note["lengths"]["file"]
        try:
            with np.load(path) as stored:
                lengths = {field: stored[field] for field in stored.files}
        except Exception as error:  # a damaged archive fails in the words of zip, zlib or numpy
            raise damaged(path, f"cannot be read: {error}") from error
        for field, values in lengths.items():
            if len(values) != len(self):
                raise damaged(path, f"has {len(values)} lengths of {field} for {len(self)} records")
        return lengths

    def _raw(self, shard: int, inside: list[int]) -> list[bytes]:
        with self._lock:
            reader = self._reader(shard)
            try:
                return list(reader.read(inside))
            except Exception as together:
                for number in inside:
                    try:
                        reader.read([number])
                    except Exception as error:
                        raise self._damaged(shard, number, error) from error
                raise self._damaged(shard, inside[0], together) from together

    def _unpacked(self, shard: int, number: int, record: bytes) -> Arrays:
        try:
            return unpack(record, self.layout)
        except (ValueError, struct.error) as error:
            raise self._damaged(shard, number, error) from error

    def _damaged(self, shard: int, number: int, error: Exception) -> DataError:
        path = self.folder / self._note["shards"][shard]["file"]
        return damaged(path, f"is damaged at record {number}: {str(error).partition('; reading')[0]}")

    def _reader(self, shard: int) -> Any:
        if shard not in self._readers:
            self._readers[shard] = open_shard(self.folder / self._note["shards"][shard]["file"])
        return self._readers[shard]


def open_shard(path: Path) -> Any:
    """Opens a shard for random access.

    Raises:
        DataError: It cannot be opened.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    try:
        return ArrayRecordReader(str(path), "readahead_buffer_size:0,max_parallelism:0")
    except Exception as error:
        raise damaged(path, f"is damaged: {str(error).partition('; reading')[0]}") from error


def damaged(path: Path, what: str) -> DataError:
    """Returns the error for a prepared file that differs from what was written."""
    return DataError(f"'{path}' {what}. Delete the folder '{path.parent}' and prepare the problem again.")


def file_note(path: Path) -> dict[str, Any]:
    """Name, size and sha256 of a file, for a manifest."""
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
