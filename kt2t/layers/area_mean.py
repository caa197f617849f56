"""Computes the mean of each area."""

from __future__ import annotations

from typing import Any

from kt2t.layers.area_statistic import AreaStatistic
from kt2t.ops.areas import Sizes, means
from kt2t.registry import register

Tensor = Any


@register
class AreaMean(AreaStatistic):
    """Takes the mean over each area.

        y_A = 1/|A| · Σ_(i ∈ A) x_i

    Shapes:
        x (…, time, depth) → (…, areas, depth)

    Source: Li et al. 2019 (Area Attention), equation 4.
    """

    def call(self, x: Tensor, sizes: Sizes, training: bool | None = None) -> Tensor:
        return means(x, sizes)
