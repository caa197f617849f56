import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.vocabularies.characters import Characters
from kt2t.errors import DataError


def test_characters_stand_after_the_bytes_in_order():
    letters = Characters("cab")
    assert letters.size == 258 + 3
    assert letters.encode("abca") == [258, 259, 260, 258]


def test_an_unknown_character_is_its_bytes():
    assert Characters("ab").encode("aéb") == [258, 0xC3 + 2, 0xA9 + 2, 259]


def test_training_takes_what_occurs_and_leaves_given_ones_alone():
    learned, given_ones = Characters(), Characters("xy")
    for vocabulary in (learned, given_ones):
        vocabulary.train(iter(["ba", "", "bç"]))
    assert learned.size == 258 + 3
    assert learned.encode("abç") == [258, 259, 260]
    assert given_ones.size == 258 + 2


def test_nothing_to_train_from_is_told():
    with pytest.raises(DataError, match="training texts are empty"):
        Characters().train(["", ""])
    with pytest.raises(ValueError, match="characters: '' is empty"):
        Characters("")


@given(st.text(alphabet=st.one_of(st.sampled_from("abc \n"), st.characters(exclude_categories=["Cs"]))))
def test_any_text_comes_back(text):
    letters = Characters("abc é\n")
    assert letters.decode([*letters.encode(text), 1]) == text
