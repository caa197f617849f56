"""Known words and looks of unknown ones, worked out by hand."""

from __future__ import annotations

import pytest

from kt2t.data.vocabularies.shaped_words import FIRST, SHAPES, ShapedWords, shape_of
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.errors import DataError

RARE = "baking boiling casting dancing eating Ulm Bonn 12 1999"


def trained(**options) -> ShapedWords:
    vocabulary = ShapedWords(**options)
    vocabulary.train(["the cat", "the dog the cat", RARE])
    return vocabulary


@pytest.mark.parametrize(
    "word, shape",
    [
        ("cat", "lower"), ("it's", "lower"), ("Cat", "capital"), ("I", "capital"), ("NATO", "upper"), ("iPhone", "mixed"),
        ("McX", "mixed"), ("3.14", "number"), ("4th", "digits"), ("...", "symbols"), ("東京", "lower"), ("", "symbols"),
    ],
)  # fmt: skip
def test_shapes(word, shape):
    assert shape_of(word) == shape


def test_one_id_a_word_and_looks_for_rare_and_unseen_ones():
    vocabulary = trained(least_look=5)
    # seven shapes, then the endings of five rare lower-case words and "dog": -g, -ing, -ng; then "the" and "cat"
    assert vocabulary.size == FIRST + len(SHAPES) + 3 + 2
    ing, ng, lower = (vocabulary.encode(word)[0] for word in ("skiing", "strong", "bus"))
    assert len({ing, ng, lower}) == 3 and vocabulary.encode("baking") == [ing]
    assert vocabulary.encode("the  cat Xing") == [vocabulary.size - 2, vocabulary.size - 1, FIRST + SHAPES.index("capital")]
    assert vocabulary.decode(vocabulary.encode("bag dog")) == "<lower -g> <lower -g>"
    assert vocabulary.encode("7") == [FIRST + SHAPES.index("number")]
    assert vocabulary.decode(vocabulary.encode("the skiing cat bags 7")) == "the <lower -ing> cat <lower> <number>"
    assert vocabulary.encode("") == []


def test_each_id_knows_its_look():
    vocabulary = trained()
    looks = vocabulary.looks_of_ids
    assert looks.dtype.name == "int32" and len(looks) == vocabulary.size
    assert looks[: vocabulary.size - 2].tolist() == list(range(vocabulary.size - 2))
    lower = FIRST + SHAPES.index("lower")
    assert looks[vocabulary.encode("the cat")].tolist() == [lower, lower]


def test_saving_and_sizes(tmp_path):
    vocabulary = trained()
    vocabulary.save(tmp_path)
    again = Vocabulary.load(tmp_path)
    assert again.fingerprint == vocabulary.fingerprint and again.encode("the Wing") == vocabulary.encode("the Wing")
    assert trained(size=FIRST + len(SHAPES) + 3 + 1).size == FIRST + len(SHAPES) + 3 + 1  # "cat" is left out
    only_looks = ShapedWords(least_count=9)
    only_looks.train(["a b"])
    only_looks.save(tmp_path / "b")
    assert Vocabulary.load(tmp_path / "b").encode("a") == only_looks.encode("a")
    with pytest.raises(DataError, match="ShapedWords is not trained yet"):
        ShapedWords().encode("a")
    with pytest.raises(ValueError, match="least_count: 0 is not positive"):
        ShapedWords(least_count=0)
