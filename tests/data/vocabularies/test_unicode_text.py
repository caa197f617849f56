"""Half of a surrogate pair is no text, for whatever reads or learns it."""

from __future__ import annotations

import pytest

from kt2t.data.text_to_text import TextToText
from kt2t.data.vocabularies.bytes import Bytes
from kt2t.data.vocabularies.characters import Characters
from kt2t.data.vocabularies.closed_words import ClosedWords
from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder
from kt2t.data.vocabularies.subwords import Subwords
from kt2t.data.vocabularies.unicode_text import checked, fault
from kt2t.data.vocabularies.words import Words
from kt2t.errors import DataError

TEXTS = ["the nice cat sat on the mat", "a dog sat on the log", "ä nice frog and a hog 🐱"]
KINDS = [Bytes, Characters, ClosedWords, SubwordTextEncoder, lambda: Subwords(330), Words]
IDS = ["Bytes", "Characters", "ClosedWords", "SubwordTextEncoder", "Subwords", "Words"]
TOLD = r"character 10 is U\+D83D, half of a surrogate pair, in 'nice cat .ud83d'"


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_every_vocabulary_says_the_same_of_it(kind):
    vocabulary = kind()
    vocabulary.train(TEXTS)
    broken = "nice cat \ud83d"
    for call in (lambda: vocabulary.encode(broken), lambda: vocabulary.encode_all(["ä", broken])):
        with pytest.raises(DataError, match="U.D83D, half of a surrogate pair"):
            call()
    with pytest.raises(DataError, match=TOLD):
        TextToText(vocabulary=vocabulary).encode({"inputs": "a", "targets": broken})
    if not isinstance(vocabulary, Bytes):
        with pytest.raises(DataError, match=TOLD):
            kind().train([*TEXTS, broken])


@pytest.mark.parametrize(
    "options",
    [lambda: Characters("a\ud83d"), lambda: Words(words=["a", "\ud83d"]), lambda: ClosedWords(unknown="\ud83d")],
)
def test_an_option_that_holds_it_is_refused(options):
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        options()


def test_whole_text_is_as_it_was():
    for text in ("", "abc", "ä🐱\U0010ffff"):
        assert checked(text) == text and fault(text) is None
