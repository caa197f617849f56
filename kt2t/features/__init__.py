"""Descriptions of fields in plain values, one kind of field per file."""

from kt2t.registry import exports

TABLE = {
    "Audio": "audio",
    "END": "feature",
    "Encoded": "encoded",
    "Feature": "feature",
    "Image": "image",
    "Label": "label",
    "MultiLabel": "multi_label",
    "Numbers": "numbers",
    "PADDING": "feature",
    "Tags": "tags",
    "Text": "text",
    "flat": "feature",
}

__getattr__, __dir__ = exports(__name__, TABLE)
