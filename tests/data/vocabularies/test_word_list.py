import pytest

from kt2t.data.vocabularies.word_list import WordList


class Listed(WordList):
    """Words of a list that is given."""

    file = "listed.txt"
    first = 7

    def __init__(self, words=()):
        self.requested_size = 9
        self._take(list(words))


def test_ids_follow_the_first_one():
    words = Listed(["b", "a"])
    assert words.trained and words.size == 9
    assert words._ids == {"b": 7, "a": 8}


def test_what_is_kept_comes_back():
    assert Listed(["b", "ä"]).contents() == {"listed.txt": "b\nä".encode()}
    again = Listed()
    assert not again.trained
    with pytest.raises(ValueError, match="train"):
        _ = again.size
    again.restore({"listed.txt": "b\nä".encode()})
    assert again._ids == {"b": 7, "ä": 8}
