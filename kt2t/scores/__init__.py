"""Scores of decoded values against references."""

from kt2t.registry import exports

TABLE = {
    "Accuracy": "accuracy",
    "Bleu": "bleu",
    "ChrF": "chrf",
    "ExactMatch": "exact_match",
    "LabelF1": "label_f1",
    "SquaredError": "squared_error",
    "TagAccuracy": "tag_accuracy",
    "TokenBleu": "token_bleu",
    "TokenRouge": "token_rouge",
}

__getattr__, __dir__ = exports(__name__, TABLE)
