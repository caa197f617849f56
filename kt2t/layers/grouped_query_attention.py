"""Attention in which several query heads share a head of keys and values."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.attention import Attention
from kt2t.layers.cache import Cache
from kt2t.registry import register

Tensor = Any


@register
class GroupedQueryAttention(Attention):
    """Multi-head attention with fewer heads of keys and values than of queries; with one it is multi-query attention.

        output = W_o · concat_h( softmax(q_h · k_gᵀ / √d_h) · v_g ),   g = ⌊h · num_key_heads / num_heads⌋

    The cache of decoding shrinks by num_key_heads / num_heads, and with it the time to read it.

    Shapes:
        x (batch, query, dim), memory (batch, key, any dim), mask (batch or 1, query or 1, key) → (batch, query, output_dim)

    Args:
        num_heads: Number of heads of queries.
        num_key_heads: Number of heads of keys and values.
        key_dim: Width of the queries, all heads together; the width of x unless given. A key's head is as wide as a query's.
        value_dim: Width of what the query heads read, all together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, or `num_key_heads` does not divide `num_heads`.

    Source: Ainslie et al. 2023, section 2.2; with one key head Shazeer 2019, section 3.
    """

    def __init__(
        self,
        num_heads: int,
        num_key_heads: int = 1,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, value_dim, output_dim, dropout, **kwargs)
        if num_key_heads < 1 or num_heads % num_key_heads:
            raise ValueError(
                f"num_key_heads: {num_key_heads} does not divide num_heads {num_heads}. Choose 1, or {num_heads} "
                "for plain attention."
            )
        self.num_key_heads = num_key_heads

    @property
    def key_heads(self) -> int:
        return self.num_key_heads

    def _means(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Any, cache: Cache | None, training: Any
    ) -> Tensor:
        logits = ops.matmul(self._grouped(query), ops.swapaxes(ops.expand_dims(key, 2), -1, -2))
        batch, _, _, length, keys = ops.shape(logits)
        weights = self._weights(ops.reshape(logits, (batch, self.num_heads, length, keys)), mask, training)
        means = ops.matmul(self._grouped(weights), ops.expand_dims(value, 2))
        return ops.reshape(means, (batch, self.num_heads, length, value.shape[-1]))

    def _grouped(self, x: Tensor) -> Tensor:
        """Splits the heads (batch, heads, …, …) into groups that share a key head: (batch, key heads, members, …, …)."""
        batch, _, length, width = ops.shape(x)
        return ops.reshape(x, (batch, self.num_key_heads, self.num_heads // self.num_key_heads, length, width))
