"""Attention whose scores come from a small network."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.memory_attention import MemoryAttention, rows
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class BahdanauAttention(MemoryAttention):
    """Additive attention to a memory: a network with one hidden layer scores each position for a query.

        score_j = vᵀ tanh(W_q q + W_m m_j),   w = softmax(score),   c = Σ_j w_j m_j,   a = concat_h(f(W_h [q; c]))

    Shapes:
        query (batch, query, dim), memory (batch, key, any dim), mask (batch or 1, query or 1, key), or (batch, key), which
        hides padding → (batch, query, num_heads · attention_dim)

    Args:
        num_heads: Number of output layers over the same mean.
        attention_dim: Width of the output of each head; the width of the query unless given.
        key_dim: Width of the network's hidden layer; the width of the query unless given.
        activation: Name of a Keras activation f; none unless given, as in Tensor2Tensor.

    Raises:
        ValueError: A size is not positive, or the activation is unknown.

    Source: Bahdanau et al. 2015, section 3.1 and appendix A.1.2; output layer and heads of Tensor2Tensor's lstm_attention.
    Departs: in `InputFeedingStack` the query is the decoder's new state as in Tensor2Tensor, not the one before.
    """

    def __init__(
        self,
        num_heads: int = 1,
        attention_dim: int | None = None,
        key_dim: int | None = None,
        activation: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, attention_dim, activation, **kwargs)
        self.key_dim = key_dim if key_dim is None else positive("key_dim", key_dim)

    def _build_scores(self, query_dim: int, memory_dim: int) -> None:
        width = self.key_dim or query_dim
        self.query_projection = self._projection(width, query_dim)
        self.memory_projection = self._projection(width, memory_dim)
        limit = keras.initializers.RandomUniform(-((3 / width) ** 0.5), (3 / width) ** 0.5)
        self.score = self.add_weight(shape=(width,), initializer=limit, name="score")

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        hidden = ops.tanh(ops.expand_dims(rows(self.query_projection, query), 2) + ops.expand_dims(keys, 1))
        return ops.sum(hidden * self.score, axis=-1)
