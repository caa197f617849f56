"""Files of folders and archives, and archives that are damaged."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from kt2t.data.sources.contents import Contents, contents_of, names_in, place_of, whole_file
from kt2t.errors import DataError

FILES = {"b/2.txt": b"two", "a/1.txt": b"one", "a/.hidden": b"no", ".git/x": b"no", "c.txt": b""}
SEEN = {"a/1.txt": b"one", "b/2.txt": b"two", "c.txt": b""}


def made(place: Path, mode: str) -> Path:
    with tarfile.open(place, mode) as archive:
        for name, data in FILES.items():
            member = tarfile.TarInfo("./" + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return place


def test_a_folder(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert names_in(tmp_path) == list(SEEN)
    assert dict(contents_of(tmp_path)) == SEEN
    ((name, data),) = contents_of(tmp_path, {"b/2.txt"})
    assert name == "b/2.txt" and place_of(data, "?") == str(tmp_path / "b/2.txt")
    assert place_of(b"two", "?") == "?"
    with pytest.raises(DataError, match="a' is a folder, not a file"):
        whole_file(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe' is a pipe, not a file"):
        list(contents_of(tmp_path))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_archives_of_every_compression(tmp_path, mode):
    path = made(tmp_path / "all.tar", mode)
    assert names_in(path) == ["b/2.txt", "a/1.txt", "c.txt"]  # in the archive's own order
    assert dict(contents_of(path)) == SEEN
    ((name, data),) = contents_of(path, {"a/1.txt"})
    assert data == b"one" and isinstance(data, Contents) and data.place == f"{path}: a/1.txt"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_anywhere_is_named(tmp_path, mode):
    data = made(tmp_path / "all.tar", mode).read_bytes()
    end = len(data) if mode == "w:gz" else len(data.rstrip(b"\0")) + 400  # tarfile fills up with zeros to 10 KB
    for length in {*range(0, end, 61), end - 1}:
        (tmp_path / "cut.tar").write_bytes(data[:length])
        with pytest.raises(DataError, match="cut.tar'"):
            list(contents_of(tmp_path / "cut.tar"))


def test_flipped_bits_of_a_compressed_archive_are_named_or_without_effect(tmp_path):
    data = bytearray(made(tmp_path / "all.tar", "w:gz").read_bytes())
    named = 0
    for place in range(len(data)):
        data[place] ^= 4
        (tmp_path / "bad.tar").write_bytes(data)
        data[place] ^= 4
        try:
            assert dict(contents_of(tmp_path / "bad.tar")) == SEEN  # such as the name that gzip noted
        except DataError as error:
            assert "bad.tar'" in str(error)
            named += 1
    assert named > 0.9 * len(data)


def test_what_is_neither_folder_nor_archive(tmp_path):
    with pytest.raises(DataError, match="problem.path: '.*nowhere' does not exist"):
        names_in(tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="text' is no tar archive"):
        names_in(tmp_path / "text")
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"hello" * 300))
    with pytest.raises(DataError, match="text.gz' is neither a folder nor a tar archive"):
        names_in(tmp_path / "text.gz")
