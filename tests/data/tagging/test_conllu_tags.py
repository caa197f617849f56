"""Tags from treebanks: words beside tags, hidden words, and tags that training does not have."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from kt2t.data.draw import Draw
from kt2t.data.tagging.conllu_tags import ConlluTags
from kt2t.errors import DataError
from kt2t.features import Tags, Text


def conllu(*sentences: str) -> str:
    """`word/TAG word/TAG` as CoNLL-U."""
    text = ""
    for sentence in sentences:
        for number, pair in enumerate(sentence.split(" "), 1):
            word, _, tag = pair.rpartition("/")
            text += "\t".join([str(number), word, "_", tag, "_", "_", "0", "root", "_", "_"]) + "\n"
        text += "\n"
    return text


TRAIN = ["the/DET cat/NOUN sleeps/VERB", "the/DET dog/NOUN runs/VERB", "the/DET cat/NOUN sleeps/VERB soundly/ADV"] * 3


@pytest.fixture
def treebank(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "en_x-ud-train.conllu").write_text(conllu(*TRAIN))
    (folder / "en_x-ud-dev.conllu").write_text(conllu("the/DET mouse/NOUN runs/VERB"))
    return folder


def test_one_tag_a_word_end_to_end(treebank, tmp_path):
    problem = ConlluTags(str(treebank))
    problem.prepare(tmp_path / "data")
    assert problem.splits() == ("train", "validation")
    size = problem.features()["inputs"].vocabulary_size
    assert problem.features() == {"inputs": Text(size), "targets": Tags(4)}
    sample = problem.sample(1)
    assert sample["targets"].tolist() == [[2, 3, 4]]  # ADV, DET, NOUN, VERB in the order of their names, from 1
    assert sample["inputs"].shape == (1, 3) and 1 not in sample["inputs"]  # no end, which would have no tag
    assert problem.references("validation") == [{"inputs": "the mouse runs", "targets": ["DET", "NOUN", "VERB"]}]
    assert problem.decode("targets", sample["targets"][0]) == ["DET", "NOUN", "VERB"]


def test_words_are_hidden_in_training_alone_as_the_draw_says(treebank, tmp_path):
    problem = ConlluTags(str(treebank), word_dropout=0.5)
    problem.prepare(tmp_path / "data")
    words = problem.vocabularies()["inputs"]
    ids = np.array(words.encode("the cat sleeps the dog runs " * 200), np.int32)
    example = {"inputs": ids, "targets": np.ones_like(ids)}
    assert problem.transform("validation", example, None)["inputs"] is ids
    found = problem.transform("train", example, Draw(1, 2, 3))["inputs"]
    np.testing.assert_array_equal(found, problem.transform("train", example, Draw(1, 2, 3))["inputs"])
    hidden = found != ids
    assert 0.44 < hidden.mean() < 0.56
    np.testing.assert_array_equal(found[hidden], words.looks_of_ids[ids][hidden])


def test_a_tag_unknown_in_evaluation_is_named_by_line_or_left_out(treebank, tmp_path, caplog):
    dev = treebank / "en_x-ud-dev.conllu"
    dev.write_text(conllu("the/DET cat/NOUN", "the/DET oh/INTJ", "cat/NOUN"))
    with pytest.raises(DataError, match="'oh' has the UPOS 'INTJ', which no training sentence has") as caught:
        ConlluTags(str(treebank)).prepare(tmp_path / "data")
    assert str(caught.value).startswith(f"{dev}:5: ")
    assert not [path for path in (tmp_path / "data").iterdir() if path.is_dir()]
    problem = ConlluTags(str(treebank), skip=1)
    with caplog.at_level(logging.WARNING, "kt2t"):
        problem.prepare(tmp_path / "data")
    assert problem.prepared.manifest["splits"]["validation"]["dropped"] == {"a class that training does not have": 1}
    assert [line["inputs"] for line in problem.references("validation")] == ["the cat", "cat"]
    assert f"skipped: {dev}:5: 'oh'" in caplog.text


def test_other_columns_and_words_with_spaces(treebank):
    with pytest.raises(DataError, match="'the' has no XPOS, only _. Choose another column"):
        next(iter(ConlluTags(str(treebank), column="XPOS").examples("train")))
    (treebank / "a.conllu").write_text(conllu("10\u2005000/NUM").replace("\u2005", " "))
    (example,) = ConlluTags(train_files=[str(treebank / "a.conllu")]).examples("train")
    assert example == {"inputs": "10\u00a0000", "targets": ["NUM"]}


def test_folders_and_options_that_cannot_be(treebank, tmp_path):
    with pytest.raises(ValueError, match="Give exactly one of the two"):
        ConlluTags()
    with pytest.raises(ValueError, match="column: 'TAG' holds no tags. Choose one of LEMMA, UPOS"):
        ConlluTags(str(treebank), column="TAG")
    with pytest.raises(ValueError, match="word_dropout: Bytes has no looks"):
        ConlluTags(str(treebank), vocabulary={"type": "Bytes"}, word_dropout=0.1)
    with pytest.raises(DataError, match="problem.path: '.*nowhere' is no folder"):
        ConlluTags(str(tmp_path / "nowhere")).splits()
    (treebank / "en_y-ud-dev.conllu.gz").write_text("")
    with pytest.raises(DataError, match="holds several files for validation: en_x-ud-dev.conllu, en_y-ud-dev.conllu.gz"):
        ConlluTags(str(treebank)).splits()
    (treebank / "en_x-ud-train.conllu").unlink()
    (treebank / "en_y-ud-dev.conllu.gz").unlink()
    with pytest.raises(DataError, match="has no .*-train.conllu"):
        ConlluTags(str(treebank)).splits()
