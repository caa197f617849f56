"""What a language model's surprise amounts to in units that do not depend on its vocabulary."""

from __future__ import annotations

import math


def bits_per_byte(nats: float, count: int) -> float:
    """Σ -log₂ p over the bytes of the text: `nats` is the surprise of the whole text, `count` its UTF-8 bytes."""
    return nats / math.log(2) / count


def word_perplexity(nats: float, count: int) -> float:
    """exp(Σ -ln p / words): `nats` is the surprise of the whole text, `count` its words, ends of lines included.

    Infinity where that is beyond a float.

    Source: as published for WikiText, whatever the tokens: Dai et al. 2019.
    """
    try:
        return math.exp(nats / count)
    except OverflowError:
        return math.inf
