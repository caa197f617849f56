"""Where a prepared problem lives: the same content, the same folder."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
import time
import types
from pathlib import Path

import pytest

from kt2t.data.algorithmic.reverse import Reverse
from kt2t.data.language.text_files import TextFiles
from kt2t.data.location import data_directory, exclusive, folder_for, folder_note, source_notes
from kt2t.data.problem import Problem
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.errors import DataError, RecipeError, ResourceError
from kt2t.registry import register


@pytest.fixture
def pair(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n" * 5)
    return path


def test_the_folder_is_named_by_options_and_content_not_by_place(tmp_path, pair):
    first = folder_for(ParallelText(train_files=str(pair)), tmp_path / "data")
    assert first.parent == tmp_path / "data" and first.name.startswith("parallel_text-") and len(first.name) == 26
    moved = tmp_path / "elsewhere" / "pairs.tsv"
    moved.parent.mkdir()
    moved.write_bytes(pair.read_bytes())
    assert folder_for(ParallelText(train_files=[str(moved)]), tmp_path / "data") == first
    assert folder_for(ParallelText(train_files=str(pair), max_length=7), tmp_path / "data") == first
    assert folder_for(ParallelText(train_files=str(pair), source_key="q"), tmp_path / "data") != first
    moved.write_text("a\tc\n" * 5)
    assert folder_for(ParallelText(train_files=[str(moved)]), tmp_path / "data") != first


def test_hashes_are_remembered_until_the_file_changes(tmp_path, pair):
    long_ago = time.time() - 100
    os.utime(pair, (long_ago, long_ago))
    problem = ParallelText(train_files=str(pair))
    before = source_notes(problem, tmp_path)
    assert (tmp_path / ".sha256.json").is_file()
    assert source_notes(problem, tmp_path) == before
    pair.write_text("a\tX\n" * 5)
    assert source_notes(problem, tmp_path)[0]["sha256"] != before[0]["sha256"]
    (tmp_path / ".sha256.json").write_text("{damaged")
    assert source_notes(problem, tmp_path)[0]["bytes"] == 20


def test_a_changed_method_of_a_problem_of_ones_own_is_another_folder(tmp_path):
    def made(letter):
        scope = {"Problem": Problem, "__name__": "riddles"}
        exec(f"class Riddles(Problem):\n def examples(self, split):\n  yield {letter!r}", scope)
        return folder_for(scope["Riddles"](), tmp_path)

    assert made("a") == made("a") != made("b")


OWN = """
from kt2t.data.problem import Problem

LETTER = "a"

def helper():
    return "b"

class Riddles(Problem):
    ending = "c"

    @staticmethod
    def fixed():
        return "d"

    @classmethod
    def made(cls):
        return "e"

    @property
    def shown(self):
        return "f"

    def source_files(self):
        return []
"""


def _own(tmp_path, monkeypatch, code, with_file):
    name = "riddles_of_location"
    module = types.ModuleType(name)
    if with_file:
        (tmp_path / "riddles_of_location.py").write_text(code)
        module.__file__ = str(tmp_path / "riddles_of_location.py")
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(code, "<own>", "exec"), module.__dict__)
    return folder_for(module.Riddles(), tmp_path / "data")


@pytest.mark.parametrize(
    ("letter", "with_file"), [*((one, True) for one in "abcdef"), *((one, False) for one in "cdef")]
)
def test_whatever_of_an_own_problem_is_edited_it_is_another_folder(tmp_path, monkeypatch, letter, with_file):
    before = _own(tmp_path, monkeypatch, OWN, with_file)
    assert _own(tmp_path, monkeypatch, OWN, with_file) == before
    assert _own(tmp_path, monkeypatch, OWN.replace(f'"{letter}"', '"z"'), with_file) != before


def test_a_file_moved_to_another_split_is_another_folder(tmp_path):
    for name in ("train/a.txt", "train/b.txt", "valid/c.txt"):
        file = tmp_path / "texts" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"text of {name}\n")
    parts = {"train_files": str(tmp_path / "texts" / "train"), "validation_files": str(tmp_path / "texts" / "valid")}
    whole = {"path": str(tmp_path / "texts")}
    before = [folder_for(TextFiles(**one), tmp_path / "data") for one in (parts, whole)]
    shutil.copytree(tmp_path / "texts", tmp_path / "elsewhere" / "copied")
    assert folder_for(TextFiles(path=str(tmp_path / "elsewhere" / "copied")), tmp_path / "data") == before[1]
    (tmp_path / "texts" / "train" / "b.txt").rename(tmp_path / "texts" / "valid" / "b.txt")
    after = [folder_for(TextFiles(**one), tmp_path / "data") for one in (parts, whole)]
    assert before[0] != after[0] and before[1] != after[1]


def test_the_same_files_for_other_splits_are_another_folder(tmp_path):
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text(f"{name}\tb\n")
    a, b = str(tmp_path / "a.tsv"), str(tmp_path / "b.tsv")
    one = ParallelText(train_files=a, validation_files=[a], test_files=b)
    other = ParallelText(train_files=a, validation_files=[b], test_files=b)
    assert folder_for(one, tmp_path / "data") != folder_for(other, tmp_path / "data")


def test_missing_files_are_named_with_their_option(tmp_path):
    with pytest.raises(DataError, match="problem.train_files: '.*nowhere.tsv' does not exist"):
        folder_for(ParallelText(train_files=str(tmp_path / "nowhere.tsv")), tmp_path)


def test_an_unregistered_problem_with_options_is_told_to_register(tmp_path):
    class Loose(Problem):
        def __init__(self, size=3):
            super().__init__()

    with pytest.raises(RecipeError, match="Loose has a constructor of its own and is not registered"):
        folder_for(Loose(), tmp_path)


def test_the_default_place(monkeypatch, tmp_path):
    monkeypatch.delenv("KT2T_DATA", raising=False)
    assert data_directory().parts[-2:] == (".cache", "kt2t")
    monkeypatch.setenv("KT2T_DATA", str(tmp_path))
    assert data_directory() == tmp_path


def test_only_one_may_prepare_a_folder(tmp_path):
    folder = tmp_path / "some-123"
    with exclusive(folder):
        with pytest.raises(ResourceError, match=rf"is being prepared by process {os.getpid()} on "):
            with exclusive(folder):
                pass
    with exclusive(folder):
        pass
    assert list(tmp_path.iterdir()) == []


@register
class Folder(Problem):
    """The files below a folder."""

    def __init__(self, path: str, whole: bool = False) -> None:
        super().__init__()
        self.path, self.whole = path, whole

    def source_files(self):
        return [Path(self.path)] if self.whole else super().source_files()


def pictures(folder, count):
    for number in range(count):
        place = folder / f"class {number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}.jpg").touch()


def test_many_files_of_a_folder_are_identified_by_their_listing(tmp_path, monkeypatch):
    pictures(tmp_path / "many", 12)
    (tmp_path / "many" / ".hidden").write_text("x")
    few = source_notes(Folder(str(tmp_path / "many")), tmp_path)
    assert len(few) == 12 and few[0]["sha256"] == hashlib.sha256(b"").hexdigest()
    monkeypatch.setattr("kt2t.data.location.MANY", 11)
    (note,) = source_notes(Folder(str(tmp_path / "many")), tmp_path)
    listing = hashlib.sha256()
    for path in sorted((tmp_path / "many").rglob("*.jpg")):
        name = path.relative_to(tmp_path / "many").as_posix()
        listing.update(f"{name}\0{0}\0{path.stat().st_mtime_ns}\n".encode())
    assert note == {"path": str(tmp_path / "many"), "files": 12, "bytes": 0, "listing": listing.hexdigest()}


def test_a_folder_counts_by_names_sizes_and_times_not_by_its_place(tmp_path):
    pictures(tmp_path / "many", 6)
    made = lambda folder: folder_for(Folder(str(tmp_path / folder), whole=True), tmp_path / "data")  # noqa: E731
    first = made("many")
    shutil.copytree(tmp_path / "many", tmp_path / "copied")
    assert made("copied") == first
    one = tmp_path / "copied" / "class 0" / "000000.jpg"
    (tmp_path / "copied" / ".hidden").write_text("x")
    assert made("copied") == first
    os.utime(one, ns=(1, 1))
    assert made("copied") != first
    shutil.copystat(tmp_path / "many" / "class 0" / "000000.jpg", one)
    assert made("copied") == first
    one.rename(one.with_name("000009.jpg"))
    assert made("copied") != first


def test_nothing_of_a_folder_is_read(tmp_path, monkeypatch):
    pictures(tmp_path / "many", 4)
    monkeypatch.setattr("kt2t.disk.sha256", lambda path: pytest.fail(f"{path} is read"))
    assert folder_note(tmp_path / "many")["files"] == 4


def test_a_pipe_or_a_broken_link_in_a_folder_is_named(tmp_path):
    pictures(tmp_path / "many", 4)
    broken = tmp_path / "many" / "broken.jpg"
    broken.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"broken\.jpg' cannot be read: No such file"):
        folder_note(tmp_path / "many")
    broken.unlink()
    os.mkfifo(broken)
    with pytest.raises(DataError, match=r"broken\.jpg' is a pipe, not a file"):
        folder_note(tmp_path / "many")


# As they were before folders and helpers counted, so that prepared data is found again.
KNOWN = {"tsv": "parallel_text-2578b43f4c04", "texts": "text_files-ceacddcc45de", "reverse": "reverse-0c69ab9bba60"}
KNOWN["subwords"] = "parallel_text-c18dcbeaa1fc"


def test_prepared_text_problems_keep_their_names(tmp_path):
    (tmp_path / "pairs.tsv").write_text("a\tb\n" * 5)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("some words\n")
    found = {
        "tsv": ParallelText(train_files=str(tmp_path / "pairs.tsv")),
        "texts": TextFiles(path=str(tmp_path / "texts"), length=8),
        "reverse": Reverse(symbols=5, max_length=4),
        "subwords": ParallelText(
            train_files=str(tmp_path / "pairs.tsv"), vocabulary={"type": "Subwords", "size": 300}
        ),
    }
    assert {name: folder_for(problem, tmp_path / "data").name for name, problem in found.items()} == KNOWN


def test_options_that_came_later_count_only_where_they_are_given(pair, tmp_path):
    def name(symbols, **options):
        vocabulary = {"type": "Subwords", "size": 300, **({"symbols": symbols} if symbols else {})}
        return folder_for(ParallelText(train_files=str(pair), vocabulary=vocabulary, **options), tmp_path / "data").name

    names = [name(None), name(["<2de>"]), name(["<2fr>"]), name(None, header=False), name(None, header=True)]
    assert len(set(names)) == 5 and names[0] == name(None, header=None)


def test_files_that_an_own_problem_names_in_its_code_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.tsv").write_text("a\tb\n")
    scope = {"Problem": Problem, "__name__": "riddles"}
    exec("class Riddles(Problem):\n def examples(self, split):\n  return open('words.tsv')", scope)
    before = folder_for(scope["Riddles"](), tmp_path / "data")
    assert source_notes(scope["Riddles"](), tmp_path)[0]["path"] == "words.tsv"
    (tmp_path / "words.tsv").write_text("a\tc\n")
    assert folder_for(scope["Riddles"](), tmp_path / "data") != before


def test_the_reuse_of_prepared_data_is_said_once(tmp_path, pair, caplog):
    caplog.set_level(logging.INFO, "kt2t")
    folder = ParallelText(train_files=str(pair), validation_files=str(pair)).prepare(tmp_path / "data")
    assert "prepared before" not in caplog.text
    for _ in range(3):
        ParallelText(train_files=str(pair), validation_files=str(pair)).prepare(tmp_path / "data")
    assert caplog.text.count(f"ParallelText: using the data that was prepared before in '{folder}'") == 1


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    from types import SimpleNamespace

    from kt2t.data.location import source_sizes

    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "a").write_bytes(b"abc")
    (tmp_path / "folder" / "below" / "b").write_bytes(b"defgh")
    (tmp_path / "folder" / ".hidden").write_bytes(b"x" * 100)
    (tmp_path / "file").write_bytes(b"ij")
    problem = SimpleNamespace(source_files=lambda: [tmp_path / "file", tmp_path / "folder"])
    assert source_sizes(problem) == [(tmp_path / "file", 2), (tmp_path / "folder", 8)]
