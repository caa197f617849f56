"""BLEU, as sacrebleu computes it."""

from __future__ import annotations

from typing import Any

from kt2t.registry import register
from kt2t.scores.corpus import CorpusScore


@register
class Bleu(CorpusScore):
    """Corpus BLEU: precision of 1- to 4-grams times a penalty for brevity, from 0 to 100.

        BLEU = BP · exp(¼ Σ log p_n)

    Shapes:
        n predictions, n references (or lists of references) → {"bleu": score}

    Args:
        tokenize: sacrebleu's tokeniser: 13a, intl, zh, ja-mecab, char, none, …
        lowercase: Whether case is ignored.

    Raises:
        ValueError: sacrebleu has no such tokeniser.

    Source: Papineni et al. 2002; Post 2018 (sacrebleu).
    """

    name = "bleu"

    def __init__(self, tokenize: str = "13a", lowercase: bool = False) -> None:
        from sacrebleu.metrics import BLEU

        if tokenize not in BLEU.TOKENIZERS:
            known = ", ".join(BLEU.TOKENIZERS)
            raise ValueError(f"tokenize: sacrebleu has no tokeniser {tokenize!r}. Choose from {known}.")
        self.tokenize = tokenize
        self.lowercase = lowercase

    def metric(self) -> Any:
        from sacrebleu.metrics import BLEU

        return BLEU(tokenize=self.tokenize, lowercase=self.lowercase)
