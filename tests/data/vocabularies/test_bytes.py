from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.vocabularies.bytes import Bytes


def test_a_byte_is_its_value_and_two():
    assert Bytes().size == 258
    assert Bytes().encode("aé\x00") == [97 + 2, 0xC3 + 2, 0xA9 + 2, 2]


def test_bytes_that_are_no_text_are_replaced():
    assert Bytes().decode([0xC3 + 2, 97 + 2]) == "\ufffda"


@given(st.text())
def test_any_text_comes_back(text):
    ids = Bytes().encode(text)
    assert [number - 2 for number in ids] == list(text.encode())
    assert Bytes().decode([*ids, 1]) == text
