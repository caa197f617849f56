"""chrF, as sacrebleu computes it."""

from __future__ import annotations

from typing import Any

from kt2t.registry import register
from kt2t.scores.corpus import CorpusScore


@register
class ChrF(CorpusScore):
    """Corpus F-score of character n-grams, from 0 to 100.

        chrFβ = (1 + β²) · P · R / (β² · P + R),  β = 2

    Shapes:
        n predictions, n references (or lists of references) → {"chrf": score}

    Args:
        characters: Longest n-gram of characters.
        words: Longest n-gram of words; 2 makes it chrF++.

    Raises:
        ValueError: `characters` is not positive, or `words` is negative.

    Source: Popović 2015, 2017; Post 2018 (sacrebleu).
    """

    name = "chrf"

    def __init__(self, characters: int = 6, words: int = 0) -> None:
        if characters < 1:
            raise ValueError(f"characters: {characters} is not positive.")
        if words < 0:
            raise ValueError(f"words: {words} is negative.")
        self.characters = characters
        self.words = words

    def metric(self) -> Any:
        from sacrebleu.metrics import CHRF

        return CHRF(char_order=self.characters, word_order=self.words)
