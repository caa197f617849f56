"""Hashes of raw examples: those of text as they always were, those of bytes and arrays fast."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from kt2t.data.content_hash import content_hash


def of_json(example):
    """The hash of an example that JSON knows, as held-out splits were always chosen by."""
    text = json.dumps(example, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@pytest.mark.parametrize(
    "example",
    [
        {"inputs": "Ein Hund", "targets": "a dog \ud83d"},
        {"targets": [1, 2, {"a": None}], "inputs": 2.5},
        {},
    ],
)
def test_text_and_numbers_hash_as_their_json(example):
    assert content_hash(example) == content_hash(example, buffers=False) == (of_json(example), False)


def test_numbers_of_numpy_hash_as_numbers():
    assert content_hash({"a": np.int64(3), "b": np.float32(0.5)}) == (of_json({"a": 3, "b": 0.5}), False)
    assert content_hash({"a": np.array("x")}) == (of_json({"a": "x"}), False)
    assert content_hash({"a": Path("b/c")}) == (of_json({"a": "b/c"}), False)


def test_arrays_hashed_as_lists_where_a_folder_was_prepared_so():
    example = {"inputs": np.array([3, 4]), "targets": np.array([[0.5]])}
    assert content_hash(example, buffers=False) == (of_json({"inputs": [3, 4], "targets": [[0.5]]}), False)


def test_bytes_and_arrays_hash_by_content_type_and_shape():
    whole = np.arange(12, dtype=np.int32)
    different = [
        {"x": b"abc"},
        {"x": b"abd"},
        {"x": "abc"},
        {"y": b"abc"},
        {"x": whole},
        {"x": whole.reshape(3, 4)},
        {"x": whole.astype(np.int64)},
        {"x": whole + 1},
        {"x": [b"abc", b""]},
        {"x": whole.tobytes()},
    ]
    found = [content_hash(example) for example in different]
    assert len({number for number, _ in found}) == len(different)
    assert [has for _, has in found] == [not isinstance(next(iter(one.values())), str) for one in different]
    for same in (whole.astype(">i4"), np.repeat(whole, 2)[::2]):
        assert content_hash({"x": same}) == content_hash({"x": whole})
    for same in (bytearray(b"abc"), memoryview(b"abc")):
        assert content_hash({"x": same}) == content_hash({"x": b"abc"})


def test_a_picture_is_not_hashed_number_by_number(monkeypatch):
    monkeypatch.setattr(json, "dumps", lambda example, **options: str([options["default"](v) for v in example.values()]))
    picture = np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8)
    asked = []

    class Watched(np.ndarray):
        def tolist(self):
            asked.append(self.shape)
            return super().tolist()

    assert content_hash({"inputs": picture.view(Watched)})[1] and not asked


@pytest.mark.parametrize("value", [{1, 2}, object()])
def test_anything_else_is_named(value):
    with pytest.raises(TypeError, match=f"{type(value).__name__} in a raw example cannot be hashed"):
        content_hash({"x": value})
