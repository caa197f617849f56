"""Tags: a label for each position of the inputs."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.options import positive
from kt2t.registry import register


@register
class Tags(Feature):
    """A field that holds one label per position of `inputs`, whose segments it shares.

    Shapes:
        (batch, time) int32, with `_segments`; id 0 is padding, tag k has id k + 1

    Args:
        num_classes: How many tags there are, padding not counted.

    Raises:
        ValueError: `num_classes` is not positive.
    """

    shape = (None,)
    is_packable = True
    shares_segments_with = "inputs"

    def __init__(self, num_classes: int) -> None:
        self.num_classes = positive("num_classes", num_classes)

    @property
    def limits(self) -> tuple[int, int]:
        return 1, self.num_classes
