"""Attention to areas of neighbouring positions."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.area_mean import AreaMean
from kt2t.layers.area_statistic import AreaStatistic
from kt2t.layers.area_total import AreaTotal
from kt2t.layers.attention import Attention
from kt2t.layers.cache import Cache
from kt2t.layers.tap import Tap
from kt2t.ops.areas import Sizes, inside
from kt2t.ops.heads import split_heads
from kt2t.ops.masks import SegmentMask
from kt2t.options import positive
from kt2t.registry import build, describe, register

Tensor = Any


@register
class AreaAttention(Attention):
    """Attention in which a query weighs areas, all runs of neighbouring positions up to a width, instead of single positions.

        output_h = softmax_A(q_i · keys(k)_A / √d_h) · values(v)_A

    An area's key and value are computed from those of its positions, by default the mean and the sum. With `max_height`
    areas are rectangles of a grid, such as a picture that is read as a memory. A query sees an area if it may attend to
    all of its positions, so areas neither cross examples nor look ahead. Time and memory grow by the number of area sizes.

    Its tap has the kind `area attention`: (batch, heads, query, areas).

    Shapes:
        x (batch, query, dim), memory (batch, key, any dim), mask (batch or 1, query or 1, key) → (batch, query, output_dim)

    Args:
        num_heads: Number of attention heads.
        max_width: Width of the widest areas, in positions.
        max_height: Height of the highest areas, in rows of the grid.
        height: Number of rows of the grid that keys and values form; 1 for a sequence.
        keys: Prototype of the layer that computes the key of each area, such as `AreaMax()` or
            `AreaConcatenation([AreaMean(), AreaDeviation()])`; `AreaMean()` unless given.
        values: Prototype of the layer that computes the value of each area; `AreaTotal()` unless given.
        key_dim: Width of queries and keys, all heads together; the width of x unless given.
        value_dim: Width of the values, all heads together; `key_dim` unless given.
        output_dim: The width of x unless given.
        dropout: Probability of zeroing a weight, in training only.

    Raises:
        ValueError: `num_heads` does not divide a width, a size is not positive, a part is no statistic of areas, or a
            grid of several rows is to be decoded position by position.

    Source: Li et al. 2019 (Area Attention), section 3; the key modes are Tensor2Tensor's. Sums are added up directly and not
    by summed area tables, which lose precision in long sequences.
    """

    takes_front = False

    def __init__(
        self,
        num_heads: int,
        max_width: int = 3,
        max_height: int = 1,
        height: int = 1,
        keys: Any = None,
        values: Any = None,
        key_dim: int | None = None,
        value_dim: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, value_dim, output_dim, dropout, **kwargs)
        self.sizes = Sizes(
            positive("max_width", max_width), positive("max_height", max_height), positive("height", height)
        )
        self.can_decode = height == 1
        self.area_keys = self._part("keys", AreaMean() if keys is None else keys)
        self.area_values = self._part("values", AreaTotal() if values is None else values)
        self.tap = Tap(kind="area attention", dtype=self.dtype_policy)

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        super().build(x_shape, memory_shape)
        self.area_keys.build((None, None, None, self._key_dim // self.num_heads), self.sizes)
        self.area_values.build((None, None, None, self._value_dim // self.num_heads), self.sizes)

    def reserve(self, cache: Cache) -> None:
        """Reserves space for the keys and values of the areas that end at each position, and for the last positions."""
        if self.sizes.height > 1:
            raise ValueError("height: a grid is not decoded position by position. Use 1, or areas of a memory alone.")
        for name, width in (("keys", self._key_dim), ("values", self._value_dim)):
            depth = width // self.num_heads
            cache.keep(f"last.{name}", (self.num_heads, self.sizes.max_width, depth), self.compute_dtype)
            for size in range(self.sizes.max_width):
                cache.reserve(f"{name}.{size}", self.num_heads, depth, self.compute_dtype)

    def _keys_and_values(self, source: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        if cache is None or cache.holds("keys"):
            return super()._keys_and_values(source, cache)
        key = self._ending_here("keys", self.key(source), self.area_keys, cache)
        return key, self._ending_here("values", self.value(source), self.area_values, cache)

    def _ending_here(self, name: str, projected: Tensor, statistic: Any, cache: Cache) -> Tensor:
        """Writes the areas that end at this step into the cache; returns the areas of all steps, width by width."""
        widest = self.sizes.max_width
        new = ops.expand_dims(ops.swapaxes(split_heads(projected, self.num_heads), 1, 2), 3)
        last = ops.concatenate([cache.read(f"last.{name}")[:, :, :, 1:], ops.cast(new, self.compute_dtype)], axis=3)
        cache.write(f"last.{name}", last)
        areas = statistic(last, sizes=self.sizes)  # (batch, beams, heads, areas, depth)
        rows, end = [], -1  # the last area of each width ends here
        for size in range(widest):
            end += widest - size
            rows.append(cache.append(f"{name}.{size}", ops.swapaxes(areas[:, :, :, end], 1, 2)))
        return ops.concatenate(rows, axis=2)

    def _means(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Any, cache: Cache | None, training: Any
    ) -> Tensor:
        if cache is None or cache.holds("keys"):
            key = self.area_keys(key, sizes=self.sizes, training=training)
            value = self.area_values(value, sizes=self.sizes, training=training)
            mask = mask.dense() if isinstance(mask, SegmentMask) else mask
            mask = mask if mask is None else inside(mask, self.sizes)
        else:
            fits = [cache.positions() >= size for size in range(self.sizes.max_width)]
            mask = ops.concatenate([ops.logical_and(mask, one) for one in fits], axis=-1)
        return super()._means(query, key, value, mask, cache, training)

    def _part(self, option: str, prototype: Any) -> AreaStatistic:
        if not isinstance(prototype, AreaStatistic):
            raise ValueError(f"{option}: {prototype!r} is no statistic of areas. Use AreaMean(), or another one.")
        return build(describe(prototype), dtype=self.dtype_policy.name)
