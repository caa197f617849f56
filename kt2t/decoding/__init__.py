"""Decoding: the loop, the searches, and the mix-in for models that decode."""

from kt2t.registry import exports

TABLE = {
    "Beam": "beam",
    "Decodes": "decodes",
    "Greedy": "greedy",
    "Sample": "sample",
    "Search": "search",
    "asked": "asking",
    "decode": "loop",
    "has_source": "asking",
    "without_fillers": "asking",
}

__getattr__, __dir__ = exports(__name__, TABLE)
