"""Computes the maximum of each area."""

from __future__ import annotations

from typing import Any

from kt2t.layers.area_statistic import AreaStatistic
from kt2t.ops.areas import Sizes, maxima
from kt2t.registry import register

Tensor = Any


@register
class AreaMax(AreaStatistic):
    """Takes the largest value in each area, channel by channel.

        y_A = max_(i ∈ A) x_i

    Shapes:
        x (…, time, depth) → (…, areas, depth)

    Source: Tensor2Tensor's area key mode max.
    """

    def call(self, x: Tensor, sizes: Sizes, training: bool | None = None) -> Tensor:
        return maxima(x, sizes)
