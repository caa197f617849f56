"""The base class of layers that combine what is computed of each area with its size."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.area_statistic import AreaStatistic
from kt2t.ops.areas import Sizes, heights_and_widths
from kt2t.registry import build, describe

Tensor = Any


class AreaCombination(AreaStatistic):
    """Base class of layers that mix statistics of an area with learned vectors for its height and width.

        y_A = W_2 relu(W_1 f_A + b_1) + b_2,   f_A = join(statistics_A, [height_A; width_A])

    The vectors of height and width have half the depth each. A subclass says how `joined` makes one vector of the parts.

    Shapes:
        x (…, time, depth) → (…, areas, depth)

    Args:
        statistics: Layers such as `AreaMean()`, each of which computes a vector (…, areas, depth).

    Raises:
        ValueError: There are no statistics, or the depth is odd.
    """

    def __init__(self, statistics: list[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not statistics:
            raise ValueError("statistics: the list is empty. Give at least one, such as AreaMean().")
        self.statistics = [build(describe(one), dtype=self.dtype_policy.name) for one in statistics]

    def joined(self, parts: list[Tensor]) -> Tensor:
        """Makes one vector of the statistics (…, areas, depth) and of the vector of the size, the last part: (areas, depth)."""
        raise NotImplementedError(f"{type(self).__name__} must define joined(parts).")

    def width(self, depth: int) -> int:
        """Returns the width of what `joined` returns."""
        raise NotImplementedError(f"{type(self).__name__} must define width(depth).")

    def build(self, x_shape: Any, sizes: Sizes) -> None:
        depth, (max_width, max_height, _) = x_shape[-1], sizes
        if depth % 2:
            raise ValueError(f"depth: {depth} cannot be halved for height and width. Choose heads of even width.")
        for statistic in self.statistics:
            statistic.build(x_shape, sizes)
        normal = keras.initializers.RandomNormal(stddev=depth**-0.5)
        self.heights = self.add_weight(shape=(max_height, depth // 2), initializer=normal, name="heights")
        self.widths = self.add_weight(shape=(max_width, depth // 2), initializer=normal, name="widths")
        self.hidden = keras.layers.Dense(depth, activation="relu", dtype=self.dtype_policy)
        self.hidden.build((None, None, self.width(depth)))
        self.output_projection = keras.layers.Dense(depth, dtype=self.dtype_policy)
        self.output_projection.build((None, None, depth))

    def call(self, x: Tensor, sizes: Sizes, training: bool | None = None) -> Tensor:
        height, width = heights_and_widths(ops.shape(x)[-2], sizes)
        of_size = [ops.take(self.heights, height - 1, axis=0), ops.take(self.widths, width - 1, axis=0)]
        of_size = ops.cast(ops.concatenate(of_size, axis=-1), self.compute_dtype)
        parts = [statistic(x, sizes=sizes, training=training) for statistic in self.statistics]
        return self.output_projection(self.hidden(self.joined([*parts, of_size])))
