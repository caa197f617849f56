"""Scores of a whole corpus, computed by sacrebleu."""

from __future__ import annotations

from typing import Any

from kt2t.scores.score import Score


class CorpusScore(Score):
    """Base class of scores that one of sacrebleu's metrics computes; a subclass defines `metric`."""

    _signature: str | None = None

    def metric(self) -> Any:
        """Makes sacrebleu's metric with this score's options."""
        raise NotImplementedError

    def compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
        metric = self.metric()
        score = float(metric.corpus_score(predictions, _streams(references)).score)
        self._signature = str(metric.get_signature())
        return {self.name: score}

    @property
    def signature(self) -> str:
        """Returns sacrebleu's signature of the last score; before the first score, the one for a single reference."""
        if self._signature is None:
            self.compute(["any"], [["any"]])
        return str(self._signature)


def _streams(references: list[list[str]]) -> list[list[str | None]]:
    """Arranges references as sacrebleu takes them: a list of the first of each prediction, one of the second, …"""
    most = max(map(len, references))
    return [[several[place] if place < len(several) else None for several in references] for place in range(most)]
