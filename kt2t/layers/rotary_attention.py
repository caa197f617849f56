"""Self attention with rotary positions."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.grouped_query_attention import GroupedQueryAttention
from kt2t.registry import register

Tensor = Any


@register
class RotaryAttention(GroupedQueryAttention):
    """Self attention that rotates each pair of channels of queries and keys by an angle that grows with the position.

        (x_2i + i x_2i+1) ← (x_2i + i x_2i+1) · exp(i p θ_i),   θ_i = max_wavelength^(-2i / d_h)

    So a logit depends on positions through their distance alone, and a stack needs no other positions (`NoPositions`).
    In a packed row two positions of one example are as far apart as in a row of its own.

    Shapes:
        x (batch, time, dim), mask (batch or 1, time or 1, time) → (batch, time, output_dim)

    Args:
        num_heads: Number of heads of queries.
        num_key_heads: Number of heads of keys and values; as many as queries unless given.
        max_wavelength: Base of the angles; larger values tell longer distances apart.
        key_dim: Width of the queries, all heads together; the width of x unless given.
        value_dim: Width of what the query heads read, all together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, a head's width is odd, or `max_wavelength` is not above 1.

    Source: Su et al. 2021 (RoFormer), section 3.2; with fewer key heads as in Llama.
    """

    takes_front = False

    def __init__(
        self,
        num_heads: int,
        num_key_heads: int | None = None,
        max_wavelength: float = 10_000.0,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        heads = num_heads if num_key_heads is None else num_key_heads
        super().__init__(num_heads, heads, key_dim, value_dim, output_dim, dropout, **kwargs)
        if max_wavelength <= 1:
            raise ValueError(f"max_wavelength: {max_wavelength} is not above 1. Use 10000, as published.")
        self.max_wavelength = max_wavelength

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        if memory_shape is not None:
            name = type(self).__name__
            raise ValueError(f"attention: {name} is self attention, and cannot read a memory. Use Attention.")
        super().build(x_shape)
        if self._key_dim // self.num_heads % 2:
            raise ValueError(
                f"key_dim: {self._key_dim} gives heads of odd width {self._key_dim // self.num_heads}, and channels "
                "are rotated in pairs. Choose another number of heads."
            )

    def _queries(self, x: Tensor, cache: Cache | None) -> Tensor:
        return self._rotated(super()._queries(x, cache), cache)

    def _keys(self, source: Tensor, cache: Cache | None) -> Tensor:
        return self._rotated(super()._keys(source, cache), cache)

    def _rotated(self, x: Tensor, cache: Cache | None) -> Tensor:
        """Rotates x (batch, heads, time, depth); with a cache the time axis holds beams, all at the same position."""
        depth, dtype = x.shape[-1], x.dtype
        rates = self.max_wavelength ** (ops.arange(0, depth, 2, dtype="float32") / -depth)
        place = ops.arange(ops.shape(x)[2], dtype="int32") if cache is None else ops.reshape(cache.position, (1,))
        angles = ops.expand_dims(ops.cast(place, "float32"), 1) * rates
        cosines, sines = ops.cast(ops.cos(angles), dtype), ops.cast(ops.sin(angles), dtype)
        even, odd = x[..., 0::2], x[..., 1::2]
        pairs = ops.stack([even * cosines - odd * sines, even * sines + odd * cosines], axis=-1)
        return ops.reshape(pairs, (*ops.shape(x)[:3], depth))
