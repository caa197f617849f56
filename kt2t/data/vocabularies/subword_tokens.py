r"""Splits text into Tensor2Tensor's tokens and joins them again; splits a token into known subwords.

A token is a run of letters and digits (Unicode categories L and N), or a run of other characters. A single space between
two runs of letters and digits is left out. Tokens are escaped, so that `_` only occurs at their end: `_` becomes `\u`, `\`
becomes `\\`, and a line feed or a character outside of the vocabulary's alphabet becomes its number, `\9731;`.

Source: Tensor2Tensor, data_generators/tokenizer.py and text_encoder.py.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Container, Sequence

ESCAPE_CHARACTERS = frozenset("\\_u;0123456789")
UNDEFINED = "\u3013"  # stands for an escaped number that is no character

# The single space is matched with the word before it and removed afterwards, so that one search finds all tokens.
_TOKEN = re.compile(r"[^\W_]+(?: (?=[^\W_]))?|[\W_]+")
_ALPHANUMERIC = re.compile(r"[^\W_]")
_ESCAPED = re.compile(r"\\u|\\\\|\\([0-9]+);")

pieces = _TOKEN.findall


def token_of(piece: str) -> str:
    """Returns the token of one of the `pieces` of a text."""
    return piece[:-1] if piece[-1] == " " and _ALPHANUMERIC.match(piece) else piece


def tokens(text: str) -> list[str]:
    """Splits a text into tokens."""
    return [token_of(piece) for piece in pieces(text)]


def joined(parts: Sequence[str]) -> str:
    """Joins tokens to a text."""
    text = list(parts[:1])
    for before, token in itertools.pairwise(parts):
        if _ALPHANUMERIC.match(before) and _ALPHANUMERIC.match(token):
            text.append(" ")
        text.append(token)
    return "".join(text)


def escape(token: str, alphabet: frozenset[str]) -> str:
    """Escapes a token with the characters of an alphabet, which must contain `ESCAPE_CHARACTERS`, and adds `_`."""
    token = token.replace("\\", "\\\\").replace("_", "\\u")
    if "\n" in token or not alphabet.issuperset(token):
        token = "".join(c if c in alphabet and c != "\n" else f"\\{ord(c)};" for c in token)
    return f"{token}_"


def unescape(escaped: str) -> str:
    """Undoes `escape` for an escaped token without its final `_`."""
    return _ESCAPED.sub(_original, escaped) if "\\" in escaped else escaped


def longest_parts(escaped: str, known: Container[str], longest: int) -> list[str]:
    """Splits a token from the left into the longest known strings.

    Args:
        escaped: The escaped token.
        known: The known strings. They must include every single character of `escaped`.
        longest: Length of the longest known string.
    """
    parts, start = [], 0
    while start < len(escaped):
        end = min(len(escaped), start + longest)
        while escaped[start:end] not in known:
            end -= 1
        parts.append(escaped[start:end])
        start = end
    return parts


def _original(found: re.Match[str]) -> str:
    if found[1] is None:
        return "_" if found[0] == "\\u" else "\\"
    number = int(found[1]) if len(found[1]) < 8 else sys.maxunicode + 1
    return UNDEFINED if number > sys.maxunicode or 0xD800 <= number < 0xE000 else chr(number)
