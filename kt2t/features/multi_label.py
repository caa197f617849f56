"""Several labels at once for a whole example."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.options import positive
from kt2t.registry import register


@register
class MultiLabel(Feature):
    """A field that holds any number of classes for a whole example.

    Shapes:
        (batch, num_classes) float32 of zeros and ones

    Args:
        num_classes: How many classes there are.

    Raises:
        ValueError: `num_classes` is not positive.
    """

    dtype = "float32"

    def __init__(self, num_classes: int) -> None:
        self.num_classes = positive("num_classes", num_classes)

    @property
    def shape(self) -> tuple[int | None, ...]:  # type: ignore[override]
        return (self.num_classes,)

    @property
    def limits(self) -> tuple[int, int]:
        return 0, 1
