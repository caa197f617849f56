"""Losses that return a value per element. The trainer weights and reduces them."""

from kt2t.registry import exports

TABLE = {
    "BinaryCrossEntropy": "binary_cross_entropy",
    "CrossEntropy": "cross_entropy",
    "MeanSquaredError": "mean_squared_error",
}

__getattr__, __dir__ = exports(__name__, TABLE)
