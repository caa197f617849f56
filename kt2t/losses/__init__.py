"""Losses that return a value per element. The trainer weights and reduces them."""

from kt2t.registry import exports

TABLE = {"CrossEntropy": "cross_entropy"}

__getattr__, __dir__ = exports(__name__, TABLE)
