"""One kind of field per file: what a field of an example is, in plain values."""

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
