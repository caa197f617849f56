"""Scores of decoded text against references."""

from kt2t.registry import exports

TABLE = {
    "Bleu": "bleu",
    "ChrF": "chrf",
    "ExactMatch": "exact_match",
    "TokenBleu": "token_bleu",
    "TokenRouge": "token_rouge",
}

__getattr__, __dir__ = exports(__name__, TABLE)
