"""Measures of language models that do not depend on the vocabulary."""

from __future__ import annotations

import math


def bits_per_byte(nats: float, count: int) -> float:
    """Computes Σ -log₂ p per byte. `nats` is Σ -ln p over the whole text, `count` its number of UTF-8 bytes."""
    return nats / math.log(2) / count


def word_perplexity(nats: float, count: int) -> float:
    """Computes exp(Σ -ln p / words). `nats` is Σ -ln p over the whole text, `count` its words and line ends.

    Infinity if the result is too large for a float.

    Source: Dai et al. 2019, who publish this for WikiText whatever the tokens are.
    """
    try:
        return math.exp(nats / count)
    except OverflowError:
        return math.inf
