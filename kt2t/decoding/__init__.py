"""From logits to sequences: the loop, the searches, and what a model needs to take part."""

from kt2t.registry import exports

TABLE = {
    "Beam": "beam",
    "Decodes": "decodes",
    "Greedy": "greedy",
    "Sample": "sample",
    "Search": "search",
    "decode": "loop",
    "has_source": "batch_inputs",
    "without_answers": "batch_inputs",
    "without_fillers": "batch_inputs",
}

__getattr__, __dir__ = exports(__name__, TABLE)
