"""Learns subwords: chooses strings that occur often enough in the tokens of a text, in four rounds.

    a round:  split every token into the subwords of the previous round; count every string that starts where one of
              them starts; choose, longest first, each string that occurs at least n times, and subtract its count from
              the counts of its prefixes
    n:        found by bisection, so that the number of subwords is near the requested size

Source: Tensor2Tensor, data_generators/text_encoder.py. Departs: strings of more than 200 characters are not counted;
otherwise the time grows with the square of a token's length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from kt2t.data.vocabularies.subword_tokens import ESCAPE_CHARACTERS, escape, longest_parts

ROUNDS = 4
LONGEST = 200
NEAR_ENOUGH = 100  # accept a size within one hundredth of the requested one

Counts = Mapping[str, int]


def learned(counts: Counts, size: int, reserved: Sequence[str], smallest: int = 1, largest: int = 1000) -> list[str]:
    """Learns about `size` subwords from tokens and returns them in the order of their ids.

    Args:
        counts: The number of occurrences of each token.
        size: Number of subwords to aim for.
        reserved: Tokens for the ids 0, 1, …; they are escaped like all tokens.
        smallest: The smallest n to try; a string must occur n times to become a subword.
        largest: The largest n to try.
    """
    count = (smallest + largest) // 2
    found = subwords_of(counts, count, reserved)
    if abs(len(found) - size) * NEAR_ENOUGH < size or smallest >= largest or count < 2:
        return found
    if len(found) > size:
        other = learned(counts, size, reserved, count + 1, largest)
    else:
        other = learned(counts, size, reserved, smallest, count - 1)
    return other if abs(len(other) - size) < abs(len(found) - size) else found


def subwords_of(counts: Counts, least: int, reserved: Sequence[str]) -> list[str]:
    """Learns the subwords that occur at least `least` times. Their ids go by frequency, then by alphabet."""
    alphabet = ESCAPE_CHARACTERS.union(*counts, *reserved)
    escaped = {escape(token, alphabet): count for token, count in counts.items()}
    head = [escape(token, alphabet) for token in reserved]
    subwords = sorted(alphabet)
    for _ in range(ROUNDS):
        subwords = head + _round(escaped, alphabet, frozenset(subwords), max(1, least))
    return subwords


def _round(escaped: Counts, alphabet: frozenset[str], known: frozenset[str], least: int) -> list[str]:
    found = _occurrences(escaped, known)
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    for text, count in found.items():
        if count >= least:
            by_length[len(text)].append(text)
    taken = []
    for length in sorted(by_length, reverse=True):
        for text in by_length[length]:
            count = found[text]
            if count >= least:
                if text not in alphabet:
                    taken.append((count, text))
                for end in range(1, length):
                    found[text[:end]] -= count
    taken += [(found.get(character, 0), character) for character in alphabet]
    return [text for _, text in sorted(taken, reverse=True)]


def _occurrences(escaped: Counts, known: frozenset[str]) -> dict[str, int]:
    """How often each string occurs that begins where a known one does, in the cut of its token."""
    longest = max(map(len, known))
    found: defaultdict[str, int] = defaultdict(int)
    for token, count in escaped.items():
        start = 0
        for part in longest_parts(token, known, longest):
            for end in range(start + 1, min(len(token), start + LONGEST) + 1):
                found[token[start:end]] += count
            start += len(part)
    return found
