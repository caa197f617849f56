"""Two things measured in turns, so that a machine that others use does the same to both."""

from __future__ import annotations

import statistics
from collections.abc import Callable


def in_turns(first: Callable[[], float], second: Callable[[], float], pairs: int) -> tuple[float, float, list[float]]:
    """The medians of two measurements, and first over second of each pair, falling; which one begins changes every time."""
    both = []
    for number in range(pairs):
        order = (first, second) if number % 2 == 0 else (second, first)
        found = [measure() for measure in order]
        both.append(tuple(found if number % 2 == 0 else reversed(found)))
    medians = [statistics.median(pair[place] for pair in both) for place in (0, 1)]
    return medians[0], medians[1], sorted((one / other for one, other in both), reverse=True)


def told(ratios: list[float]) -> str:
    """The median of the ratios, and between which values half of them lie."""
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return f"{statistics.median(ratios):.3f} (half of {len(ratios)} pairs from {low:.3f} to {high:.3f})"
