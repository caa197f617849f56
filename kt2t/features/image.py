"""Pictures of one fixed size."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.options import positive
from kt2t.registry import register


@register
class Image(Feature):
    """A field that holds a picture of fixed size.

    Shapes:
        (batch, height, width, channels) uint8

    Args:
        height: In pixels.
        width: In pixels.
        channels: 3 for red, green and blue; 1 for grey.

    Raises:
        ValueError: A size is not positive.
    """

    dtype = "uint8"

    def __init__(self, height: int, width: int, channels: int = 3) -> None:
        self.height = positive("height", height)
        self.width = positive("width", width)
        self.channels = positive("channels", channels)

    @property
    def shape(self) -> tuple[int | None, ...]:  # type: ignore[override]
        return (self.height, self.width, self.channels)

    @property
    def limits(self) -> tuple[int, int]:
        return 0, 255
