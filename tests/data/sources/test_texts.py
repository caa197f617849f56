"""Text files and folders of them."""

from __future__ import annotations

import gzip

import pytest

from kt2t.data.sources.texts import all_lines, text_files, whole_text
from kt2t.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.txt", "a/z.txt", "a/.hidden.txt", ".git/x.txt", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n\nend")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"zipped\n"))
    return tmp_path


def test_a_folder_gives_its_text_files_in_order(folder):
    assert text_files([folder]) == [folder / "a/z.txt", folder / "b.txt", folder / "c.txt.gz"]
    assert text_files([folder / "notes.md", str(folder / "a")]) == [folder / "notes.md", folder / "a/z.txt"]
    assert text_files([folder], "*.md") == [folder / "notes.md"]


def test_what_is_not_there(folder):
    with pytest.raises(DataError, match=r"problem.train_files: '.*' has no text files: .* matches '\*.tokens'") as caught:
        text_files([folder], "*.tokens", "problem.train_files")
    assert caught.value.status == 3
    with pytest.raises(DataError, match="nowhere' does not exist"):
        text_files([folder / "nowhere"])


def test_lines_keep_their_ends_and_the_last_one_gets_one(folder):
    assert whole_text(folder / "b.txt") == "b.txt\n\nend\n"
    assert list(all_lines([folder / "c.txt.gz", folder / "b.txt"])) == ["zipped\n", "b.txt\n", "\n", "end\n"]
