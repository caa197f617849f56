"""A mixture of experts between two LSTMs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.lstm_stack import LSTMStack
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.ops.masks import SegmentMask
from kt2t.registry import build, describe, register

Tensor = Any


@register
class LSTMExpertsStack(Sequence):
    """An LSTM, a mixture of experts and another LSTM, each with dropout and a residual connection.

        x1 = x + d(lstm1(x)),   x2 = x1 + d(sigmoid(experts(x1))),   y = x2 + d(lstm2(x2)),   d = dropout; x = d(x) before

    A memory is read first, as the beginning of the sequence.

    Shapes:
        x (batch, time, units), segments (batch, time) int32 or None, memory or None → (batch, time, units)

    Args:
        experts: Prototype of the mixture, such as `MixtureOfExperts`.
        units: Width of x and of each LSTM's state.
        dropout: Probability of zeroing an element of x or of a layer's output, in training only.

    Raises:
        ValueError: `units` is not positive, or `experts` is not a layer that reads segments, as mixtures of experts do.

    Source: Shazeer et al. 2017, section 5.1 and appendix C.1.
    """

    def __init__(self, experts: Any, units: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(experts, keras.layers.Layer) or not getattr(experts, "reads_segments", False):
            raise ValueError(
                f"experts: {type(experts).__name__} is no mixture of experts. Use MixtureOfExperts or "
                "CapacityLimitedExperts."
            )
        self.lower = LSTMStack(1, units, dtype=self.dtype_policy)
        self.experts = build(describe(experts), dtype=self.dtype_policy.name)
        self.upper = LSTMStack(1, units, dtype=self.dtype_policy)
        self.dropouts = [Dropout(dropout, dtype=self.dtype_policy) for _ in range(4)]

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if cache is not None:
            return self._run(x, None, cache, training)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        if memory is None:
            return self._run(x, segments, None, training)
        rows = ops.shape(memory.segments)[1]
        together = ops.concatenate([memory.segments, segments], axis=1)
        return self._run(ops.concatenate([memory.states, x], axis=1), together, None, training)[:, rows:]

    def start(self, memory: Memory | None, cache: Cache) -> None:
        self.lower.start(memory, cache.child("lower"))
        if memory is not None:
            memory = Memory(self._below(memory.states, memory.segments, None, False), memory.segments)
        self.upper.start(memory, cache.child("upper"))

    def _run(self, x: Tensor, segments: Tensor | None, cache: Cache | None, training: bool | None) -> Tensor:
        x = self._below(x, segments, cache, training)
        y = self.upper(x, segments, cache=cache and cache.child("upper"), training=training)
        return x + self.dropouts[3](y, training=training)

    def _below(self, x: Tensor, segments: Tensor | None, cache: Cache | None, training: bool | None) -> Tensor:
        """Returns what the upper LSTM reads."""
        x = self.dropouts[0](x, training=training)
        y = self.lower(x, segments, cache=cache and cache.child("lower"), training=training)
        x = x + self.dropouts[1](y, training=training)
        row = {"mask": SegmentMask(segments, causal=True)} if cache is None else {"cache": cache.child("experts")}
        y = ops.sigmoid(self.experts(x, **row, training=training))
        return x + self.dropouts[2](y, training=training)
