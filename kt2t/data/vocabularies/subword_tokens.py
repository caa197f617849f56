r"""Text to the tokens of Tensor2Tensor and back, and a token to subwords that are known.

A token is a run of letters and digits (categories L and N) or a run of all else; a single space between two of the first
kind is left out. It is escaped, so that `_` stands at its end and nowhere else: `_` is `\u`, `\` is `\\`, and a line's
end or a character beyond the vocabulary's alphabet is its number, `\9731;`.

Source: Tensor2Tensor, data_generators/tokenizer.py and text_encoder.py.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Container, Sequence

ESCAPE_CHARACTERS = frozenset("\\_u;0123456789")
UNDEFINED = "\u3013"  # what the escape of no character decodes to

# The single space goes with the word before it, and is taken off again: one search finds all tokens.
_TOKEN = re.compile(r"[^\W_]+(?: (?=[^\W_]))?|[\W_]+")
_ALPHANUMERIC = re.compile(r"[^\W_]")
_ESCAPED = re.compile(r"\\u|\\\\|\\([0-9]+);")

pieces = _TOKEN.findall


def token_of(piece: str) -> str:
    """The token of one of the `pieces` of a text."""
    return piece[:-1] if piece[-1] == " " and _ALPHANUMERIC.match(piece) else piece


def tokens(text: str) -> list[str]:
    """The tokens of a text."""
    return [token_of(piece) for piece in pieces(text)]


def joined(parts: Sequence[str]) -> str:
    """The text of tokens."""
    text = list(parts[:1])
    for before, token in itertools.pairwise(parts):
        if _ALPHANUMERIC.match(before) and _ALPHANUMERIC.match(token):
            text.append(" ")
        text.append(token)
    return "".join(text)


def escape(token: str, alphabet: frozenset[str]) -> str:
    """A token with its end, in characters of an alphabet that holds `ESCAPE_CHARACTERS`."""
    token = token.replace("\\", "\\\\").replace("_", "\\u")
    if "\n" in token or not alphabet.issuperset(token):
        token = "".join(c if c in alphabet and c != "\n" else f"\\{ord(c)};" for c in token)
    return f"{token}_"


def unescape(escaped: str) -> str:
    """The token of an escaped one whose end is taken off."""
    return _ESCAPED.sub(_original, escaped) if "\\" in escaped else escaped


def longest_parts(escaped: str, known: Container[str], longest: int) -> list[str]:
    """The longest known string at the beginning, then at the beginning of what is left, and so on.

    Args:
        known: Every character of `escaped` alone is among them.
        longest: Characters of the longest of them.
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
