"""Self attention with learned vectors for the distance of query and key."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.attention import Attention
from kt2t.layers.cache import Cache
from kt2t.ops.shifts import distances_of_keys, keys_of_distances
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class RelativeAttention(Attention):
    """Self attention that adds learned vectors for the distance between query and key.

        e_ij = q_i · (k_j + a^K_c) / √d_h,   z_i = Σ_j softmax(e_i)_j (v_j + a^V_c),   c = clip(j - i, -D, D)

    A query can look for a distance, and a value carries its distance. So a stack of these layers needs no absolute
    positions (`NoPositions`), but works with them too. All heads share both tables. In a packed row
    two positions of one example are as far apart as in a row of its own.

    Shapes:
        x (batch, time, dim), mask (batch or 1, time or 1, time) → (batch, time, output_dim)

    Args:
        num_heads: Number of attention heads.
        max_distance: D, in positions; pairs that are farther apart share the vector of D.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, or `max_distance` is not positive.

    Source: Shaw et al. 2018, equations 3 and 4; one table for all heads as there in section 3.3 and in Tensor2Tensor.
    """

    takes_front = False
    adds_to_values = True

    def __init__(
        self,
        num_heads: int,
        max_distance: int,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, value_dim, output_dim, dropout, **kwargs)
        self.max_distance = positive("max_distance", max_distance)

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        if memory_shape is not None:
            name = type(self).__name__
            raise ValueError(f"attention: {name} is self attention, and cannot read a memory. Use Attention.")
        super().build(x_shape)
        self.key_distances = self._table("key_distances", self._key_dim)
        self.value_distances = self._table("value_distances", self._value_dim) if self.adds_to_values else None

    def _means(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, cache: Cache | None, training: Any
    ) -> Tensor:
        length = ops.shape(key)[2]
        distances = self._distances(length, cache)
        near_keys = ops.cast(self._vectors(self.key_distances, distances), query.dtype)
        by_distance = ops.matmul(query, ops.swapaxes(near_keys, -1, -2))
        near = by_distance if cache is not None else keys_of_distances(by_distance, length)
        weights = self._weights(ops.matmul(query, ops.swapaxes(key, -1, -2)) + near, mask, training)
        means = ops.matmul(weights, value)
        if self.value_distances is None:
            return means
        by_distance = weights if cache is not None else distances_of_keys(weights, length)
        return means + ops.matmul(by_distance, ops.cast(self._vectors(self.value_distances, distances), query.dtype))

    def _distances(self, length: Any, cache: Cache | None) -> Tensor:
        """Returns the distances j - i that occur within `length`, or with a cache the distance of each of its rows."""
        if cache is None:
            return ops.arange(2 * length - 1, dtype="int32") - (length - 1)
        return cache.positions() - ops.cast(cache.position, "int32")

    def _vectors(self, table: Any, distances: Tensor) -> Tensor:
        """Returns the vector of each distance: (distances, depth)."""
        return ops.take(table, ops.clip(distances, -self.max_distance, self.max_distance) + self.max_distance, axis=0)

    def _table(self, name: str, width: int) -> Any:
        """Makes a weight with one vector for each distance from -D to D, where D = `max_distance`."""
        shape = (2 * self.max_distance + 1, width // self.num_heads)
        fan_avg = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        return self.add_weight(shape=shape, initializer=fan_avg, name=name)
