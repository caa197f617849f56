"""Decoding: the loop, the searches, and the mix-in for models that decode."""

from kt2t.registry import exports

TABLE = {
    "Beam": "beam",
    "Decodes": "decodes",
    "Greedy": "greedy",
    "Sample": "sample",
    "Search": "search",
    "decode": "loop",
    "search_of": "named",
    "has_source": "batch_inputs",
    "without_answers": "batch_inputs",
    "without_fillers": "batch_inputs",
}

__getattr__, __dir__ = exports(__name__, TABLE)
