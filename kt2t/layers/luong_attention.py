"""Attention whose scores are products."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.memory_attention import MemoryAttention
from kt2t.registry import register

Tensor = Any


@register
class LuongAttention(MemoryAttention):
    """Multiplicative attention to a memory: the score of a position is a bilinear form of it and the query.

        score_j = qᵀ W_m m_j,   w = softmax(score),   c = Σ_j w_j m_j,   a = concat_h(f(W_h [q; c]))

    Shapes:
        query (batch, query, dim), memory (batch, key, any dim), mask (batch or 1, query or 1, key), or (batch, key), which
        hides padding → (batch, query, num_heads · attention_dim)

    Args:
        num_heads: Number of output layers over the same mean.
        attention_dim: Width of the output of each head; the width of the query unless given.
        activation: Name of a Keras activation f; none unless given, as in Tensor2Tensor. The paper has tanh.

    Raises:
        ValueError: A size is not positive, or the activation is unknown.

    Source: Luong et al. 2015, section 3.1 (`general`) and equation 5; heads of Tensor2Tensor's lstm_attention.
    """

    def _build_scores(self, query_dim: int, memory_dim: int) -> None:
        self.memory_projection = self._projection(query_dim, memory_dim)

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return ops.matmul(query, ops.swapaxes(keys, 1, 2))
