"""Computes the sum of each area."""

from __future__ import annotations

from typing import Any

from kt2t.layers.area_statistic import AreaStatistic
from kt2t.ops.areas import Sizes, totals
from kt2t.registry import register

Tensor = Any


@register
class AreaTotal(AreaStatistic):
    """Sums over each area; the values of area attention are such sums.

        y_A = Σ_(i ∈ A) x_i

    Shapes:
        x (…, time, depth) → (…, areas, depth)

    Source: Li et al. 2019 (Area Attention), equation 5.
    """

    def call(self, x: Tensor, sizes: Sizes, training: bool | None = None) -> Tensor:
        return totals(x, sizes)
