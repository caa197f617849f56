"""Losses that give a value per element; weighting and reduction are the trainer's."""

from kt2t.registry import exports

TABLE = {
    "BinaryCrossEntropy": "binary_cross_entropy",
    "CrossEntropy": "cross_entropy",
    "MeanSquaredError": "mean_squared_error",
}

__getattr__, __dir__ = exports(__name__, TABLE)
