"""Vectors of real numbers."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.options import positive
from kt2t.registry import register


@register
class Numbers(Feature):
    """A field that holds a vector of real numbers.

    Shapes:
        (batch, size) float32

    Args:
        size: How many numbers.

    Raises:
        ValueError: `size` is not positive.
    """

    dtype = "float32"

    def __init__(self, size: int) -> None:
        self.size = positive("size", size)

    @property
    def shape(self) -> tuple[int | None, ...]:  # type: ignore[override]
        return (self.size,)
