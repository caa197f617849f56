from __future__ import annotations

import hashlib
import json

import keras
import numpy as np
import pytest

from kt2t.errors import RunError
from kt2t.training import manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"1234")
    content = {"a.bin": {"x": np.zeros((2, 3), "float32"), "y": np.int64(4)}}
    manifest.write_manifest(tmp_path, content, np.int64(7), "Adam", {"größe": (1, None)}, {"loss": 0.5})
    return tmp_path


def test_what_is_written_is_read(folder):
    found = manifest.verify(folder)
    assert (found.path, found.step, found.optimizer, found.extra) == (folder, 7, "Adam", {"loss": 0.5})
    assert found.recipe == {"größe": [1, None]}
    assert found.files == {"a.bin": {"size": 4, "sha256": hashlib.sha256(b"1234").hexdigest()}}
    assert found.arrays["a.bin"] == {"x": {"shape": [2, 3], "dtype": "float32"}, "y": {"shape": [], "dtype": "int64"}}
    assert found.versions["keras"] == keras.__version__ and found.versions["backend"] == keras.backend.backend()


def test_a_manifest_is_read_without_its_files(folder):
    (folder / "a.bin").unlink()
    assert manifest.read_manifest(folder).step == 7
    with pytest.raises(RunError, match="a.bin is missing"):
        manifest.verify(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"123", "a.bin has 3 bytes instead of 4"), (b"1235", "a.bin was changed"), (None, "a.bin is missing")],
)
def test_a_file_that_is_not_the_one_written_is_told(folder, content, told):
    (folder / "a.bin").unlink()
    if content is not None:
        (folder / "a.bin").write_bytes(content)
    with pytest.raises(RunError, match=told):
        manifest.verify(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"step": 8}, "manifest.json was changed"),
        ({"files": {}}, "manifest.json was changed"),
        ({"format": 2}, "format 2, written by kt2t .*; this kt2t reads format 1"),
    ],
)
def test_a_manifest_that_was_changed_is_told(folder, change, told):
    file = folder / manifest.NAME
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **change}))
    with pytest.raises(RunError, match=told):
        manifest.verify(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_manifest_that_is_none_is_told(folder, text):
    (folder / manifest.NAME).write_text(text)
    with pytest.raises(RunError, match="manifest.json cannot be read"):
        manifest.verify(folder)
