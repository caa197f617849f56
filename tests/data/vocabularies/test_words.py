import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.vocabularies.words import Words
from kt2t.errors import DataError


def test_the_most_frequent_words_are_known_equals_by_their_letters():
    words = Words(size=260)
    words.train(["b a b c", "c d  d"])
    assert words.size == 260
    assert words.encode("b c") == [258, 259]
    spelt_d = [ord("d") + 2, ord(" ") + 2]
    assert words.encode("d b") == [*spelt_d, 258]


def test_fewer_words_make_a_smaller_vocabulary():
    words = Words(size=1000)
    words.train(["a b"])
    assert words.size == 260


def test_given_words_need_no_training():
    words = Words(words=["two", "one"])
    words.train(["three"])
    assert words.size == 260
    assert words.encode("one two") == [259, 258]


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="size: 258"):
        Words(size=258)
    with pytest.raises(ValueError, match="words: 'a b' is not one word"):
        Words(words=["a b"])
    with pytest.raises(ValueError, match=r"words: \[\] names none"):
        Words(words=[])
    with pytest.raises(DataError, match="training texts are empty"):
        Words().train([" ", ""])


def test_what_a_model_makes_of_it_can_be_read():
    words = Words(words=["one"])
    assert words.decode([ord("a") + 2, 258, ord("b") + 2]) == "a one b"


@given(st.text(alphabet=st.one_of(st.sampled_from("ab  \n"), st.characters(exclude_categories=["Cs"]))))
def test_any_text_comes_back(text):
    words = Words(words=["a", "b", "aa", "\u2581"])
    assert words.decode([*words.encode(text), 1]) == text
