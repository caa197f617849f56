"""Computes the standard deviation of each area."""

from __future__ import annotations

from typing import Any

from kt2t.layers.area_statistic import AreaStatistic
from kt2t.ops.areas import Sizes, deviations
from kt2t.registry import register

Tensor = Any


@register
class AreaDeviation(AreaStatistic):
    """Takes the standard deviation over each area.

        y_A = √( |mean(x_i²) - mean(x_i)²| + 10⁻⁶ ),   i ∈ A

    Shapes:
        x (…, time, depth) → (…, areas, depth)

    Source: Li et al. 2019 (Area Attention), equation 6.
    """

    def call(self, x: Tensor, sizes: Sizes, training: bool | None = None) -> Tensor:
        return deviations(x, sizes)
