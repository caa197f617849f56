"""The published corpora of words, from their folders."""

from __future__ import annotations

import gzip

import pytest

from kt2t.data.language.word_files import PennTreebank, WikiText
from kt2t.data.vocabularies import ClosedWords
from kt2t.errors import DataError

PTB = {"train": " the cat <unk> \n the dog N \n", "valid": " the bird \n", "test": " N dog \n"}


def write(folder, name, zipped=(), texts=PTB):
    for stem, text in texts.items():
        data = text.encode()
        file = folder / name.format(stem)
        if stem in zipped:
            file.with_name(file.name + ".gz").write_bytes(gzip.compress(data))
        else:
            file.write_bytes(data)
    return str(folder)


def test_words_of_the_penn_treebank(tmp_path):
    problem = PennTreebank(path=write(tmp_path, "ptb.{}.txt", zipped=("valid",)), length=4)
    assert problem.splits() == ("train", "validation", "test")
    problem.prepare(tmp_path / "data")
    assert (
        isinstance(problem.vocabularies()["targets"], ClosedWords)
        and problem.features()["targets"].vocabulary_size == 8
    )
    features, targets, weight = problem.batches("validation", rows=1).batch(0)
    assert targets.tolist() == [[4, 2, 3]] and weight.sum() == 3, "the, an unknown word, the end of the line"
    for split, words in {"train": 8, "validation": 3, "test": 3}.items():
        counts = problem.prepared.manifest["splits"][split]["counts"]
        assert counts["tokens"] == counts["words"] == words


def test_wikitext_is_taken_whole_in_one_of_its_forms(tmp_path):
    folder = write(tmp_path, "wiki.{}.raw")
    assert [file.name for file in WikiText(path=folder).files()["test"]] == ["wiki.test.raw"]
    write(tmp_path, "wiki.{}.tokens", texts={"valid": "x", "test": "y"})
    assert WikiText(path=folder).files()["validation"][0].name == "wiki.valid.raw", "train has no .tokens"
    write(tmp_path, "wiki.{}.tokens", zipped=("train",), texts={"train": "x"})
    assert [files[0].name for files in WikiText(path=folder).files().values()] == [
        "wiki.train.tokens.gz",
        "wiki.valid.tokens",
        "wiki.test.tokens",
    ]


def test_real_wikitext(tmp_path, test_data):
    """Its validation file as the training text: as many words as it is published with, lines counted."""
    source = test_data / "wikitext2_raw_valid_test"
    for stem, name in {"train": "valid", "valid": "valid", "test": "test"}.items():
        (tmp_path / f"wiki.{stem}.raw.gz").symlink_to(source / f"wiki.{name}.raw.gz")
    problem = WikiText(path=str(tmp_path), vocabulary={"type": "Bytes"}, length=512)
    text = "".join(example["targets"] for example in problem.examples("test"))
    counted = problem.counted([{"targets": text}], [])
    with gzip.open(source / "wiki.test.raw.gz") as file:
        raw = file.read()
    assert counted["bytes"] == len(raw) + (not raw.endswith(b"\n"))
    assert 241_000 < counted["words"] < 246_000


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="problem.path: '.*nowhere' is not a folder. .* ptb.train.txt, ptb.valid.txt"):
        PennTreebank(path=str(tmp_path / "nowhere")).files()
    write(tmp_path, "ptb.{}.txt", texts={"train": "a"})
    with pytest.raises(DataError, match="does not hold all of ptb.train.txt, ptb.valid.txt, ptb.test.txt") as caught:
        PennTreebank(path=str(tmp_path)).files()
    assert caught.value.status == 3
