from __future__ import annotations

import os

import pytest

from kt2t.errors import ResourceError
from kt2t.training.whole_folder import clean, recover, remove_whole, write_whole

DEAD = 2**22 + 7  # above the largest process number there is


def filled(text):
    return lambda folder: (folder / "file").write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_new_replaces_the_old(tmp_path):
    for text in ("old", "new"):
        assert write_whole(tmp_path / "below" / "it", filled(text)) == tmp_path / "below" / "it"
    assert (tmp_path / "below" / "it" / "file").read_text() == "new"
    assert names(tmp_path / "below") == ["it"]


def test_an_error_leaves_the_old(tmp_path):
    write_whole(tmp_path / "it", filled("old"))

    def broken(folder):
        (folder / "file").write_text("half")
        raise KeyError("anything")

    with pytest.raises(KeyError):
        write_whole(tmp_path / "it", broken)
    assert (tmp_path / "it" / "file").read_text() == "old"
    assert names(tmp_path) == ["it"]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("I/O error: full (os error 28)")])
def test_a_full_disk_is_told_as_one(tmp_path, error):
    def full(folder):
        raise error

    with pytest.raises(ResourceError, match="No space left on device. What was there is untouched"):
        write_whole(tmp_path / "it", full)
    assert names(tmp_path) == []


def test_what_a_dead_writer_moved_aside_comes_back(tmp_path):
    (tmp_path / f".it.old-{DEAD}").mkdir()
    (tmp_path / f".it.tmp-{DEAD}").mkdir()
    recover(tmp_path)
    assert names(tmp_path) == [f".it.tmp-{DEAD}", "it"]
    clean(tmp_path)
    assert names(tmp_path) == ["it"]


def test_a_living_writers_folder_is_left_alone(tmp_path):
    (tmp_path / f".it.tmp-{os.getppid()}").mkdir()
    clean(tmp_path)
    assert names(tmp_path) == [f".it.tmp-{os.getppid()}"]


def test_removal_leaves_nothing(tmp_path):
    write_whole(tmp_path / "it", filled("old"))
    remove_whole(tmp_path / "it")
    assert names(tmp_path) == []
