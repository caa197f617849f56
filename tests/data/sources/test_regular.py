"""Sources are regular files; all else is refused before it is opened."""

from __future__ import annotations

import os
import socket

import pytest

from kt2t.data.sources.lines import lines
from kt2t.data.sources.pairs import pairs
from kt2t.data.sources.regular import require_regular
from kt2t.data.sources.texts import text_files
from kt2t.errors import DataError


@pytest.fixture(params=["pipe", "link to a pipe", "socket", "device", "folder", "missing", "dangling"])
def odd(request, tmp_path, monkeypatch):
    """A path that is no file, relative and short, as sockets want it; and what is said of it."""
    monkeypatch.chdir(tmp_path)
    if "pipe" in request.param:
        os.mkfifo("pipe.txt")
    if "link" in request.param:
        os.symlink("pipe.txt", "link.txt")
        return "link.txt", "is a pipe, not a file"
    if request.param == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket.txt")
    if request.param == "folder":
        os.mkdir("folder.txt")
    if request.param == "dangling":
        os.symlink("nowhere", "dangling.txt")
    if request.param == "device":
        return "/dev/zero", "is a device, not a file"
    told = "does not exist" if request.param in ("missing", "dangling") else f"is a {request.param}, not a file"
    return f"{request.param}.txt", told


def test_what_is_no_file_is_named_and_never_opened(odd, tmp_path):
    path, told = odd
    for read in (
        lambda: require_regular(tmp_path / path),
        lambda: next(lines(path)),
        lambda: next(pairs([path, path])),
    ):
        with pytest.raises(DataError, match=told) as raised:
            read()
        assert path in str(raised.value) and raised.value.status == 3


def test_a_place_or_what_lies_in_a_folder_is_named(odd, tmp_path):
    path, told = odd
    if "folder" in told:
        return
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "good.txt").write_text("good\n")
    os.symlink(tmp_path / path, tmp_path / "all" / "odd.txt")
    for places in ([path], ["all"]):
        with pytest.raises(DataError, match=told) as raised:
            text_files(places, option="problem.path")
        assert raised.value.path == "problem.path"


def test_a_file_and_a_link_to_one_are_fine(tmp_path):
    (tmp_path / "a.txt").write_text("x\n")
    os.symlink(tmp_path / "a.txt", tmp_path / "b.txt")
    assert require_regular(tmp_path / "b.txt") is None and list(lines(tmp_path / "b.txt")) == ["x"]
