"""One's own text, by files and folders."""

from __future__ import annotations

import pytest

from kt2t.data.language.text_files import TextFiles
from kt2t.errors import DataError
from kt2t.registry import build, describe


@pytest.fixture
def folder(tmp_path):
    for name in ("b.txt", "a/z.txt", "held.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}\n")
    return tmp_path


def text(problem, split):
    return "".join(example["targets"] for example in problem.examples(split))


def test_a_folder_is_one_text_and_its_last_part_is_held_out(folder):
    both = "this is a/z.txt\nthis is b.txt\n"
    for options in ({"path": str(folder)}, {"train_files": [str(folder)]}, {"train_files": str(folder)}):
        problem = TextFiles(**options, held_out=0.2)
        assert text(problem, "train") == both[:24] and text(problem, "validation") == both[24:]
        assert problem.source_files() == [folder / "a/z.txt", folder / "b.txt"]


def test_named_files_make_their_splits(folder):
    problem = TextFiles(
        train_files=[str(folder / "b.txt"), str(folder / "a")], validation_files=str(folder / "held.md")
    )
    assert problem.splits() == ("train", "validation")
    assert text(problem, "train") == "this is b.txt\nthis is a/z.txt\n"
    assert text(problem, "validation") == "this is held.md\n"
    more = TextFiles(path=str(folder), test_files=[str(folder)], pattern="*.md")
    assert more.splits() == ("train", "validation", "test") and text(more, "test") == "this is held.md\n"


def test_it_is_described_with_the_options_of_its_base(folder):
    problem = TextFiles(path=str(folder), length=64, documents="lines", vocabulary={"type": "Characters"})
    node = describe(problem, full=True)
    assert (node["length"], node["documents"], node["train_files"]) == (64, "lines", None)
    short = describe(problem)
    assert describe(build(short, "problem")) == short


def test_files_of_a_folder_can_be_left_out_and_the_log_names_those_that_are_read(folder, tmp_path, caplog):
    (folder / "README.txt").write_text("not for training\n")
    taken = TextFiles(path=str(folder), exclude="README*")
    assert taken.source_files() == [folder / "a/z.txt", folder / "b.txt"]
    assert TextFiles(path=str(folder), exclude=["a/*", "b.txt"]).source_files() == [folder / "README.txt"]
    with caplog.at_level("INFO", "kt2t"):
        taken.train_vocabularies([])
    assert f"{folder / 'b.txt'} (14 bytes)" in caplog.text and "README" not in caplog.text


def test_faults(folder):
    for options in ({}, {"path": "a", "train_files": "b"}):
        with pytest.raises(ValueError, match="train_files: .* Give exactly one of the two"):
            TextFiles(**options)
    with pytest.raises(DataError, match=r"problem.test_files: .*a' has no text files: .* matches '\*.md'"):
        TextFiles(path=str(folder), test_files=str(folder / "a"), pattern="*.md").files()
    with pytest.raises(DataError, match="problem.path: '.*nowhere' does not exist"):
        TextFiles(path=str(folder / "nowhere")).files()


def test_tinyshakespeare_is_split_as_published(test_data):
    """The first 1,003,854 characters are for training, the last 111,540 for validation: char-rnn's and nanoGPT's split."""
    problem = TextFiles(path=str(test_data / "tinyshakespeare" / "input.txt.gz"), vocabulary={"type": "Characters"})
    train, validation = text(problem, "train"), text(problem, "validation")
    assert (len(train), len(validation), len(set(train + validation))) == (1_003_854, 111_540, 65)
    assert train.startswith("First Citizen:\nBefore we proceed") and validation.startswith("?\n\nGREMIO:\nGood morrow")
