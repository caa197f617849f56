"""One architecture a file."""

from kt2t.registry import exports

TABLE = {
    "Model": "model",
    "Transformer": "transformer",
    "TransformerEncoder": "transformer_encoder",
    "TransformerLM": "transformer_lm",
}

__getattr__, __dir__ = exports(__name__, TABLE)
