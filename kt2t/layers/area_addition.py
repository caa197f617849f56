"""Mixes statistics of each area with its size: adds them."""

from __future__ import annotations

from typing import Any

from kt2t.layers.area_combination import AreaCombination
from kt2t.registry import register

Tensor = Any


@register
class AreaAddition(AreaCombination):
    """Mixes statistics of each area with learned vectors for its height and width: adds them, then two dense layers.

        y_A = W_2 relu(W_1 f_A + b_1) + b_2,   f_A = statistic_1 + … + statistic_n + [height_A; width_A]

    In Tensor2Tensor's words, the statistics `AreaMean(), AreaDeviation()` are the key
    mode sum, and `AreaSample()` sample_sum.

    Shapes:
        x (…, time, depth) → (…, areas, depth)

    Args:
        statistics: Layers such as `AreaMean()`, each of which computes a vector (…, areas, depth).

    Raises:
        ValueError: There are no statistics, or the depth is odd.

    Source: Li et al. 2019 (Area Attention), section 3.2, and Tensor2Tensor's area key modes.
    """

    def __init__(self, statistics: list[Any], **kwargs: Any) -> None:
        super().__init__(statistics, **kwargs)

    def joined(self, parts: list[Tensor]) -> Tensor:
        return sum(parts[1:], parts[0])

    def width(self, depth: int) -> int:
        return depth
