"""Evaluates a model with the moving averages of its weights."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

from kt2t.training.averages import weights_averaged


class EvaluatingAverages(keras.callbacks.Callback):
    """Callback that replaces the weights, during each evaluation, by the moving averages that the optimizer keeps (`use_ema`).

    Training then continues with exactly the same weights. Keras's `SwapEMAWeights` swaps by additions and subtractions
    on TensorFlow, which round, and after an error in the evaluation it leaves the averages in place of the weights.
    After such an error call `put_back` before saving anything.
    """

    def __init__(self) -> None:
        super().__init__()
        self._evaluating = contextlib.ExitStack()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.put_back()
        self._evaluating.enter_context(weights_averaged(self.model))

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self.put_back()

    def put_back(self) -> None:
        """Restores the weights if they are still replaced by the averages, because an evaluation did not finish."""
        self._evaluating.close()
