"""ROUGE of sequences of tokens or ids, as Tensor2Tensor computes it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from kt2t.registry import register
from kt2t.scores.score import Score
from kt2t.scores.token_bleu import Tokens, ngrams


@register
class TokenRouge(Score):
    """ROUGE-1, ROUGE-2 and ROUGE-L of each prediction, on average, from 0 to 1.

        ROUGE-n: F1 of the sets of n-grams
        ROUGE-L: (1 + β²) R P / (R + β² P),  R = lcs / |reference|,  P = lcs / |prediction|,  β = P / R

    Repeated n-grams count once, and β is computed for each pair, both as in Tensor2Tensor. Other programs therefore give
    other values. Texts are cut at white space. Of several references only the first is used.

    Shapes:
        n predictions, n references (or lists of references) → {"token_rouge": ROUGE-L, "token_rouge_1": …, "token_rouge_2": …}

    Source: Lin 2004, sections 2 and 3.1; Tensor2Tensor's rouge_2_fscore and rouge_L_fscore.
    """

    name = "token_rouge"

    def compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
        return self.of_tokens([text.split() for text in predictions], [several[0].split() for several in references])

    def of_tokens(self, predictions: Sequence[Tokens], references: Sequence[Tokens]) -> dict[str, float]:
        """Scores predictions that are already lists of tokens or ids."""
        pairs = list(zip(predictions, references, strict=True))
        return {
            self.name: sum(longest_common(*pair) for pair in pairs) / len(pairs),
            f"{self.name}_1": sum(shared_ngrams(*pair, 1) for pair in pairs) / len(pairs),
            f"{self.name}_2": sum(shared_ngrams(*pair, 2) for pair in pairs) / len(pairs),
        }

    @property
    def signature(self) -> str:
        return "token_rouge|ngrams:sets|beta:ratio|tok:space"


def shared_ngrams(prediction: Tokens, reference: Tokens, order: int) -> float:
    """Computes F1 of the sets of n-grams; 0 if either is empty."""
    found, right = set(ngrams(prediction, order)), set(ngrams(reference, order))
    shared = len(found & right)
    return 2 * shared / (len(found) + len(right)) if shared else 0.0


def longest_common(prediction: Tokens, reference: Tokens) -> float:
    """Computes the F-score of the longest common subsequence; 0 if there is none."""
    common = _common_length(prediction, reference)
    if not common:
        return 0.0
    recall, precision = common / len(reference), common / len(prediction)
    weight = (precision / recall) ** 2
    return (1 + weight) * recall * precision / (recall + weight * precision)


def _common_length(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    row = [0] * (len(second) + 1)
    for one in first:
        corner = 0
        for place, other in enumerate(second, 1):
            corner, row[place] = row[place], corner + 1 if one == other else max(row[place], row[place - 1])
    return row[-1]
