"""Groups examples by fixed boundaries of length, each a little longer than the one before, as Tensor2Tensor does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kt2t.data.shapes import Group, with_takers

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)


@dataclass(frozen=True)
class Buckets:
    """Assigns lengths to buckets; examples of one bucket share batches, which have a fixed number of rows.

    Attributes:
        boundaries: In tokens, rising: bucket k holds lengths from boundary k - 1 up to, not including, boundary k.
        rows: The rows of a batch of each bucket; there is one bucket more than boundaries.
        longest: The length in tokens for which the rows of the last bucket were chosen.
        window: A number of rows that whole batches of every bucket fill.
    """

    boundaries: tuple[int, ...]
    rows: tuple[int, ...]
    longest: int
    window: int

    @property
    def waiting(self) -> int:
        """Number of batches that Tensor2Tensor's shuffle buffer holds: three windows of the batches with the fewest rows."""
        return 3 * (self.window // min(self.rows))


def geometric_buckets(
    tokens: int, max_length: int = 0, shortest: int = 8, step: float = 1.1, multiple: int = 1, length_multiple: int = 1
) -> Buckets:
    """Makes buckets whose boundaries grow by the factor `step`, and whose rows divide one common window.

    A bucket's rows are `tokens` over its upper boundary, rounded down to a divisor of the window, the largest number up to
    three times the rows of the shortest bucket that has more divisors than all below it.

    Args:
        tokens: Positions of each of the `multiple` equal shares of a batch, padding counted.
        max_length: In tokens; `tokens` if 0.
        shortest: The first boundary, in tokens.
        step: Factor between a boundary and the one before it; they differ by one token at least.
        multiple: Number of equal shares of every batch, such as one for each replica.
        length_multiple: Factor by which every boundary is multiplied at the end.

    Raises:
        ValueError: `step` is not above 1, or another number is not positive.

    Source: Tensor2Tensor's batching scheme.
    """
    counts = {"tokens": tokens, "shortest": shortest, "multiple": multiple, "length_multiple": length_multiple}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name}: {value} is not positive.")
    if step <= 1:
        raise ValueError(f"step: {step} is not above 1, so that boundaries would not grow. Tensor2Tensor's is 1.1.")
    longest = max_length or tokens
    boundaries, boundary = [], shortest
    while boundary < longest:
        boundaries.append(boundary * length_multiple)
        boundary = max(boundary + 1, int(boundary * step))
    longest *= length_multiple
    rows = [max(1, tokens // length) for length in (*boundaries, longest)]
    window = _many_divisors(3 * max(rows))
    divisors = np.array([number for number in range(1, max(rows) + 1) if window % number == 0])
    fitting = divisors[np.searchsorted(divisors, rows, side="right") - 1]
    return Buckets(tuple(boundaries), tuple(int(size) * multiple for size in fitting), longest, window * multiple)


def bucket_groups(table: np.ndarray, kept: np.ndarray, buckets: Buckets, multiple: int = 1) -> list[Group]:
    """Divides examples by the bucket of their longest field, shortest first; each shape is that of its longest members.

    Args:
        table: (examples, fields) lengths.
        kept: The examples that take part.
        buckets: Where to divide.
        multiple: The rows of each batch are a multiple of this.
    """
    place = np.searchsorted(buckets.boundaries, table[kept].max(1), side="right")
    groups = []
    for number in np.unique(place):
        members = kept[place == number]
        lengths = table[members]
        members = members[np.lexsort((members, lengths.sum(1), lengths.max(1)))]
        enough = -(-len(members) // multiple) * multiple
        shape = tuple(max(int(size), 1) for size in lengths.max(0))
        groups.append(Group(shape, min(buckets.rows[number], enough), members))
    return with_takers(groups)


def _many_divisors(limit: int) -> int:
    """The largest number up to a limit that has more divisors than every smaller one.

    Such numbers are products of the first primes with exponents that do not rise.
    """
    found = [(1, 1, limit)]  # the number, its divisors, the largest exponent for the next prime
    for prime in PRIMES:
        for number, divisors, most in list(found):
            if most and (prime == 2 or number % PRIMES[PRIMES.index(prime) - 1] == 0):
                exponent = 1
                while exponent <= most and number * prime**exponent <= limit:
                    found.append((number * prime**exponent, divisors * (exponent + 1), exponent))
                    exponent += 1
    best, record = 1, 0
    for number, divisors, _ in sorted(found):
        if divisors > record:
            best, record = number, divisors
    return best
