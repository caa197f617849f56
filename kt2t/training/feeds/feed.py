"""The base class of changes to what a model reads in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Tensor = Any


class Feed:
    """Base class of changes to the features that a model reads in training. Losses and metrics keep the data's targets.

    The trainer calls it for each part of a batch, in training only. Its random draws must come from `layer_seed(model)`,
    so that a step draws the same after a restart.
    """

    def check(self, features: Mapping[str, Any]) -> None:
        """Raises ValueError if a model with these features has nothing to change.

        Args:
            features: The model's features by field; empty for a model that has none.
        """
        raise NotImplementedError(f"{type(self).__name__} must define check(features).")

    def __call__(self, model: Any, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the features that the model reads in place of `x`.

        Args:
            model: The model, which may be called.
            x: The features of a part of a batch, by field, with their segments.
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__(model, x).")
