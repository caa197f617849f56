"""BLEU of sequences of tokens or ids, as Tensor2Tensor computes it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from kt2t.registry import register
from kt2t.scores.score import Score

Tokens = Sequence[Hashable]


@register
class TokenBleu(Score):
    """Corpus BLEU with smoothed precisions, from 0 to 100, for comparison with Tensor2Tensor's own scores.

        BLEU = BP · exp(Σ log p_n / N),  p_n = 1 / (2^k · possible) for the k-th order without a match

    An n-gram order longer than every prediction counts with precision 1. Texts are cut
    by sacrebleu's international tokeniser (mteval-v14). Of several references only the first is used. To publish
    a score, use `Bleu`.

    Shapes:
        n predictions, n references (or lists of references) → {"token_bleu": score}

    Args:
        orders: N, the longest n-gram.
        brevity: Whether predictions that are too short are penalised.
        lowercase: Whether case is ignored.

    Raises:
        ValueError: `orders` is not positive.

    Source: Papineni et al. 2002; smoothing as in mteval-v13a; Tensor2Tensor's t2t-bleu and approximate BLEU.
    """

    name = "token_bleu"

    def __init__(self, orders: int = 4, brevity: bool = True, lowercase: bool = False) -> None:
        if orders < 1:
            raise ValueError(f"orders: {orders} is not positive.")
        self.orders = orders
        self.brevity = brevity
        self.lowercase = lowercase

    def compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
        cut = self.tokens(predictions)
        return {self.name: self.of_tokens(cut, self.tokens([several[0] for several in references]))}

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """Cuts texts into lists of tokens."""
        from sacrebleu.tokenizers.tokenizer_intl import TokenizerV14International

        tokenizer = TokenizerV14International()
        return [str(tokenizer(text.lower() if self.lowercase else text)).split() for text in texts]

    def of_tokens(self, predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
        """Scores predictions that are already lists of tokens or ids."""
        matches, possible = [0] * self.orders, [0] * self.orders
        for prediction, reference in zip(predictions, references, strict=True):
            for order in range(self.orders):
                found, right = (Counter(ngrams(tokens, order + 1)) for tokens in (prediction, reference))
                matches[order] += (found & right).total()
                possible[order] += found.total()
        log_precisions, unmatched = 0.0, 0
        for match, total in zip(matches, possible, strict=True):
            if total:
                unmatched += match == 0
                log_precisions += math.log(match / total if match else 1 / (2**unmatched * total))
        length, wanted = sum(map(len, predictions)), sum(map(len, references))
        if not length:
            return 0.0
        shortness = min(0.0, 1 - wanted / length) if self.brevity else 0.0
        return 100 * math.exp(log_precisions / self.orders + shortness)

    @property
    def signature(self) -> str:
        case = "lc" if self.lowercase else "mixed"
        brevity = "yes" if self.brevity else "no"
        return f"token_bleu|case:{case}|tok:intl|smooth:exp|orders:{self.orders}|brevity:{brevity}"


def ngrams(tokens: Tokens, order: int) -> list[tuple[Hashable, ...]]:
    """Lists all runs of `order` tokens."""
    return [tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1)]
