"""Losses that give a value per element; weighting and reduction are the trainer's."""

from kt2t.registry import exports

TABLE = {"CrossEntropy": "cross_entropy"}

__getattr__, __dir__ = exports(__name__, TABLE)
