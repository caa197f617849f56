"""Scores of decoded text against references."""

from kt2t.registry import exports

TABLE = {"Bleu": "bleu", "ChrF": "chrf", "ExactMatch": "exact_match"}

__getattr__, __dir__ = exports(__name__, TABLE)
