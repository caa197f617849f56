"""Evaluates the moving averages of the weights."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

from kt2t.training.averages import weights_averaged


class EvaluatingAverages(keras.callbacks.Callback):
    """Evaluates the averages that an optimizer keeps (`use_ema`). Training continues with the same weights to the bit.

    Keras's `SwapEMAWeights` swaps by sums and differences on TensorFlow, which round, and an error in the evaluation leaves
    the averages where the weights were. Here such an error is followed by `put_back`, before anything is saved.
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
        """Restores the weights if an evaluation did not finish."""
        self._evaluating.close()
