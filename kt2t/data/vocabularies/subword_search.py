"""Which subwords to take for a text: those that occur often enough, found in a few rounds.

    a round:  cut every token into the subwords of the round before; count each string that begins where one of them
              begins; take, longest first, each that occurs n times or more, its count taken off those of its beginnings
    n:        by bisection, so that there are about as many as asked for

Source: Tensor2Tensor, data_generators/text_encoder.py. Departs: no string of more than 200 characters is counted, so that
a token of a million does not take a million million steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from kt2t.data.vocabularies.subword_tokens import ESCAPE_CHARACTERS, escape, longest_parts

ROUNDS = 4
LONGEST = 200
NEAR_ENOUGH = 100  # within one hundredth of the size asked for

Counts = Mapping[str, int]


def learned(counts: Counts, size: int, reserved: Sequence[str], smallest: int = 1, largest: int = 1000) -> list[str]:
    """The subwords of tokens, by id.

    Args:
        counts: How often each token occurs.
        size: How many subwords to aim for.
        reserved: What ids 0, 1, … stand for; escaped, as everything is.
        smallest: The lowest n to try.
        largest: The highest.
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
    """The subwords that occur `least` times or more in tokens, by id: the most frequent first, then by their letters."""
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
