"""Words of a closed list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.vocabularies.closed_words import ClosedWords
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.errors import DataError

LINES = [" the cat <unk> the dog \n", " the cat N \n"]


def trained(**options):
    words = ClosedWords(**options)
    words.train(LINES)
    return words


def test_every_word_and_line_end_is_one_id():
    words = trained()
    assert words.size == 4 + 4  # the, cat, N, dog: <unk> and the end of a line have ids of their own
    assert words.encode(LINES[0]) == [4, 5, 2, 4, 7, 3]
    assert words.encode("the  bird\n\n") == [4, 2, 3, 3]


def test_the_most_frequent_words_are_known():
    assert trained(size=6).encode("the cat dog N") == [4, 5, 2, 2]
    assert trained(least_count=2).encode("the cat dog N") == [4, 5, 2, 2]
    assert ClosedWords(size=100).expected_size == 100


def test_what_comes_back_has_one_space_and_its_lines():
    words = trained()
    assert words.decode(words.encode("".join(LINES))) == "the cat <unk> the dog\nthe cat N\n"
    assert words.decode([4, 0, 2, 1, 5]) == "the <unk>"
    assert trained(unknown="?").decode([2]) == "?"


@given(st.text(alphabet=st.sampled_from("abc \n\t\u00a0ß")))
def test_there_is_an_id_for_each_word_and_line_end(text):
    assert len(trained().encode(text)) == len(text.split()) + text.count("\n")


def test_it_travels_by_file_and_is_known_by_its_words(tmp_path):
    words = trained()
    words.save(tmp_path)
    again = Vocabulary.load(tmp_path)
    assert again.fingerprint == words.fingerprint and again.encode(LINES[0]) == words.encode(LINES[0])
    assert trained(size=6).fingerprint != words.fingerprint
    (tmp_path / "closed_words.txt").write_text("the\ncow\nN\ndog")
    with pytest.raises(DataError, match="is damaged"):
        Vocabulary.load(tmp_path)


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="size: 4 leaves no room"):
        ClosedWords(size=4)
    with pytest.raises(ValueError, match="least_count: 0"):
        ClosedWords(least_count=0)
    with pytest.raises(ValueError, match="unknown: 'a b' is not one word"):
        ClosedWords(unknown="a b")
    with pytest.raises(DataError, match="training texts are empty"):
        ClosedWords().train([" \n"])
    with pytest.raises(DataError, match="no word occurs 3 times"):
        ClosedWords(least_count=3).train(["a a b"])
    with pytest.raises(DataError, match="not trained yet"):
        ClosedWords().encode("a")
