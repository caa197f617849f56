"""The stand-ins of special characters: each text is written in one way, and that way is read back as the text alone."""

from __future__ import annotations

from itertools import product

from kt2t.data.vocabularies.stand_ins import STAND_INS

LOST = set("\n\t\x00\u2581\u2047")


def written(text: str) -> str:
    return "".join(STAND_INS.get(character, character) for character in text)


def test_what_is_written_has_no_character_that_sentencepiece_loses():
    assert LOST <= set(STAND_INS)
    assert not LOST & set(written("".join(STAND_INS)))


def test_no_two_texts_are_written_alike():
    letters = [*STAND_INS, "n", "t", "s", "u", "0", "q", "x"]
    texts = ["".join(text) for length in (1, 2, 3) for text in product(letters, repeat=length)]
    assert len({written(text) for text in texts}) == len(texts)
