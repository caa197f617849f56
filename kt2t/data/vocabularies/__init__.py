"""Vocabularies: convert text to ids and back."""

from kt2t.registry import exports

TABLE = {
    "Bytes": "bytes",
    "Characters": "characters",
    "Classes": "classes",
    "ClosedWords": "closed_words",
    "ShapedWords": "shaped_words",
    "SubwordTextEncoder": "subword_text_encoder",
    "Subwords": "subwords",
    "Symbols": "symbols",
    "Words": "words",
}

__getattr__, __dir__ = exports(__name__, TABLE)
