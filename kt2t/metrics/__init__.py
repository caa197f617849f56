"""Weighted metrics, computed from tensors."""

from kt2t.registry import exports

TABLE = {
    "EditDistance": "edit_distance",
    "F1": "f1",
    "Perplexity": "perplexity",
    "SequenceAccuracy": "sequence_accuracy",
    "TokenAccuracy": "token_accuracy",
}

__getattr__, __dir__ = exports(__name__, TABLE)
