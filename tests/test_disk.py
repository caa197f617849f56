"""Whole or not there, one writer at a time, and a full disk told as one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kt2t.disk import (
    clean,
    exclusive,
    is_plain_name,
    name_aside,
    recover,
    remove_whole,
    sha256,
    whole_file,
    whole_folder,
    writing,
)
from kt2t.errors import DataError, ResourceError, RunError

DEAD = 2**22 + 7  # above the largest process number there is


def filled(text):
    return lambda folder: (folder / "file").write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_new_folder_replaces_the_old(tmp_path):
    for text in ("old", "new"):
        assert whole_folder(tmp_path / "below" / "it", filled(text)) == tmp_path / "below" / "it"
    assert (tmp_path / "below" / "it" / "file").read_text() == "new"
    assert names(tmp_path / "below") == ["it"]


@pytest.mark.parametrize("raised", [KeyError, KeyboardInterrupt, DataError("no space for nonsense")])
def test_an_error_leaves_the_old_folder(tmp_path, raised):
    whole_folder(tmp_path / "it", filled("old"))

    def broken(folder):
        (folder / "file").write_text("half")
        raise raised

    with pytest.raises(raised if isinstance(raised, type) else type(raised)):
        whole_folder(tmp_path / "it", broken)
    assert (tmp_path / "it" / "file").read_text() == "old"
    assert names(tmp_path) == ["it"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left"),
        RuntimeError("I/O error: full (os error 28)"),
        RuntimeError("x: No space left on device [28]"),
    ],
)
def test_a_full_disk_is_told_as_one(tmp_path, error):
    def full(folder):
        raise error

    with pytest.raises(ResourceError, match="it' cannot be written: No space left on device. Make room"):
        whole_folder(tmp_path / "it", full)
    assert names(tmp_path) == []


def test_an_error_that_is_not_the_disks_stays_itself(tmp_path):
    def absent(folder):
        (folder / "absent").read_text()

    with pytest.raises(FileNotFoundError):
        whole_folder(tmp_path / "it", absent)
    with pytest.raises(ResourceError, match="a' cannot be written: No such file"), writing(tmp_path / "a"):
        absent(tmp_path)


def test_what_a_dead_writer_moved_aside_comes_back(tmp_path):
    (tmp_path / f".it.old-{DEAD}").mkdir()
    (tmp_path / f".it.tmp-{DEAD}").mkdir()
    (tmp_path / f".file.tmp-{DEAD}").write_text("half")
    recover(tmp_path)
    assert names(tmp_path) == [f".file.tmp-{DEAD}", f".it.tmp-{DEAD}", "it"]
    clean(tmp_path, "it")
    assert names(tmp_path) == [f".file.tmp-{DEAD}", "it"]
    clean(tmp_path)
    assert names(tmp_path) == ["it"]


def test_a_living_writers_folder_is_left_alone(tmp_path):
    (tmp_path / f".it.tmp-{os.getppid()}").mkdir()
    clean(tmp_path)
    assert names(tmp_path) == [f".it.tmp-{os.getppid()}"]
    assert name_aside(f".it.tmp-{os.getppid()}") == "it" and name_aside(".it") == ".it"


def test_removal_leaves_nothing(tmp_path):
    whole_folder(tmp_path / "it", filled("old"))
    remove_whole(tmp_path / "it")
    assert names(tmp_path) == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    for content in ("öld", b"new"):
        whole_file(tmp_path / "a", content)
    assert (tmp_path / "a").read_bytes() == b"new" and names(tmp_path) == ["a"]
    with pytest.raises(ResourceError, match="cannot be written: No such file"):
        whole_file(tmp_path / "missing" / "a", "x")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResourceError, match="No space left on device"):
        whole_file(tmp_path / "a", "newer")
    assert (tmp_path / "a").read_bytes() == b"new" and names(tmp_path) == ["a"]


def test_the_second_is_told_who_holds_the_lock(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from kt2t.disk import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1]), lambda holder: SystemExit(holder)): pass"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with exclusive(tmp_path / "lock", RunError):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and f"process {os.getpid()} on" in done.stderr
        with pytest.raises(RunError, match=f"process {os.getpid()} on"), exclusive(tmp_path / "lock", RunError):
            pass
    assert subprocess.run(command).returncode == 0
    assert names(tmp_path) == []


def test_a_lock_that_cannot_be_written(tmp_path):
    with pytest.raises(ResourceError, match="cannot be written"), exclusive(tmp_path / "missing" / "lock", RunError):
        pass


def test_a_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "../a", "a\0b", "y" * 256, "ä" * 128, 3, None])
def test_what_is_no_name_of_a_file_beside(name):
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["a", "a.b", "..a", "y" * 255, "ä" * 127, "a b"])
def test_the_name_of_a_file_beside(name):
    assert is_plain_name(name)
