import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.vocabularies.subword_tokens import (
    ESCAPE_CHARACTERS,
    UNDEFINED,
    escape,
    joined,
    longest_parts,
    pieces,
    token_of,
    tokens,
    unescape,
)

ALPHABET = ESCAPE_CHARACTERS | frozenset("ab ☃")
ANY_TEXT = st.text(alphabet=st.one_of(st.sampled_from("ab1 _\\;\n☃"), st.characters(exclude_categories=["Cs"])))


def spelt_out(text):
    """The rule word by word: cut where letters and digits meet anything else, drop a single space that is not the
    first or last token."""
    kinds = [unicodedata.category(character)[0] in "LN" for character in text]
    found, start = [], 0
    for place in range(1, len(text) + 1):
        if place == len(text) or kinds[place] != kinds[place - 1]:
            part = text[start:place]
            if part != " " or start == 0 or place == len(text):
                found.append(part)
            start = place
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two words", ["two", "words"]),
        ("7th, x_1", ["7th", ", ", "x", "_", "1"]),
        (" a  b ", [" ", "a", "  ", "b", " "]),
        ("", []),
        (" ", [" "]),
    ],
)
def test_tokens(text, expected):
    assert tokens(text) == expected == spelt_out(text)


@given(ANY_TEXT)
def test_tokens_follow_the_rule_and_can_be_joined(text):
    assert tokens(text) == spelt_out(text) == [token_of(piece) for piece in pieces(text)]
    assert "".join(pieces(text)) == text
    assert joined(tokens(text)) == text


def test_letters_and_digits_are_the_unicode_categories_l_and_n():
    wrong = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if (unicodedata.category(chr(code))[0] in "LN") != (len(tokens(f"a{chr(code)}")) == 1)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("token", "escaped"),
    [("ab", "ab_"), ("a_b", "a\\ub_"), ("\\u", "\\\\u_"), ("\n", "\\10;_"), ("é", "\\233;_"), ("\\", "\\\\_")],
)
def test_escape(token, escaped):
    assert escape(token, ALPHABET) == escaped
    assert unescape(escaped[:-1]) == token


@given(ANY_TEXT)
def test_what_is_escaped_comes_back_and_has_one_end(text):
    escaped = escape(text, ALPHABET)
    assert escaped.index("_") == len(escaped) - 1 and set(escaped) <= ALPHABET
    assert unescape(escaped[:-1]) == text


def test_an_escape_of_no_character():
    assert unescape("\\1114112;") == unescape("\\99999999999999999999;") == unescape("\\55296;") == UNDEFINED
    assert unescape("\\x") == "\\x"


def test_the_longest_part_comes_first():
    assert longest_parts("abcab_", {"a", "b", "c", "_", "ab", "bca", "ab_"}, 3) == ["ab", "c", "ab_"]
    assert longest_parts("", {"a"}, 1) == []
