import pytest

from kt2t.data.vocabularies.symbols import Symbols
from kt2t.errors import DataError


def test_a_symbol_is_its_number_and_two():
    symbols = Symbols(12)
    assert symbols.size == 14
    assert symbols.encode("0 11 3") == symbols.encode([0, 11, 3]) == [2, 13, 5]
    assert symbols.decode([2, 13, 5, 1, 4, 0]) == "0 11 3"
    assert symbols.encode("") == []
    assert symbols.decode([1]) == ""


@pytest.mark.parametrize(("text", "message"), [("12", "from 0 to 11"), ("-1", "from 0 to 11"), ("a", "whole numbers")])
def test_what_is_no_symbol_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        Symbols(12).encode(text)


def test_a_count_must_be_positive():
    with pytest.raises(ValueError, match="count: 0 is not positive"):
        Symbols(0)
    with pytest.raises(ValueError, match="count: 3000000000 is more than ids can count"):
        Symbols(3_000_000_000)
