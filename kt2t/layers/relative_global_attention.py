"""Self attention with learned vectors for distances, without those of far keys."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.relative_attention import RelativeAttention
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class RelativeGlobalAttention(RelativeAttention):
    """Self attention that adds a learned vector for each distance below `max_distance` to the keys.

        e_ij = q_i · (k_j + a_(i-j)) / √d_h,   a_(i-j) = 0 where i - j ≥ D

    The products with the vectors are computed by distance and shifted into place (skewed), so no vector is made for
    each pair. Unlike in `RelativeAttention`, far keys have no vector instead of sharing one, and each head may have
    a table of its own. In a packed row two positions of one example are as far apart as in a row of its own.

    Shapes:
        x (batch, time, dim), mask (batch or 1, time or 1, time) → (batch, time, output_dim)

    Args:
        num_heads: Number of attention heads.
        max_distance: D, in positions; keys at D or more positions before the query have no vector.
        later_distances: Number of distances after the query that have a vector; D - 1 for an encoder, as upstream.
        shares_heads: Whether all heads share one table.
        adds_to_values: Whether the values have a table, too: z_i = Σ_j w_ij (v_j + b_(i-j)).
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, `max_distance` is not positive, or `later_distances` is negative.

    Source: Huang et al. 2018 (Music Transformer), section 3.4; Tensor2Tensor's dot_product_relative_v2 and its
    unmasked form.
    """

    def __init__(
        self,
        num_heads: int,
        max_distance: int,
        later_distances: int = 0,
        shares_heads: bool = False,
        adds_to_values: bool = False,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_heads, positive("max_distance", max_distance), key_dim, value_dim, output_dim, dropout, **kwargs
        )
        if later_distances < 0:
            raise ValueError(f"later_distances: {later_distances} is negative. Use 0 for a decoder.")
        self.later_distances = later_distances
        self.shares_heads = shares_heads
        self.adds_to_values = adds_to_values

    def _vectors(self, table: Any, distances: Tensor) -> Tensor:
        """Returns the vector of each distance, zero for one without: (distances, depth) or (heads, distances, depth)."""
        row = distances + self.max_distance - 1
        last = self.max_distance - 1 + self.later_distances
        has_one = ops.logical_and(row >= 0, row <= last)
        found = ops.take(table, ops.clip(row, 0, last), axis=-2)
        return found * ops.cast(ops.expand_dims(has_one, 1), found.dtype)

    def _table(self, name: str, width: int) -> Any:
        """Makes a weight with a vector for each distance from -(D - 1) to `later_distances`."""
        depth = width // self.num_heads
        heads = () if self.shares_heads else (self.num_heads,)
        shape = (*heads, self.max_distance + self.later_distances, depth)
        return self.add_weight(shape=shape, initializer=keras.initializers.RandomNormal(stddev=depth**-0.5), name=name)
