"""A label: one class for a whole example."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.options import positive
from kt2t.registry import register


@register
class Label(Feature):
    """A field that holds one class for a whole example.

    Shapes:
        (batch,) int32, from 0 to `num_classes` - 1

    Args:
        num_classes: How many classes there are.

    Raises:
        ValueError: `num_classes` is not positive.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = positive("num_classes", num_classes)

    @property
    def limits(self) -> tuple[int, int]:
        return 0, self.num_classes - 1
