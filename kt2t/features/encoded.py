"""Files in their own format, such as JPEG, stored in records."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.registry import register


@register
class Encoded(Feature):
    """A field that holds the bytes of a file (JPEG, PNG, FLAC, …): a form of storage, not an input of a model.

    A problem names the field in `stored()`. When a record is read, `transform` decodes the bytes to the field that
    `features()` describes.

    Shapes:
        (bytes,) uint8
    """

    shape = (None,)
    dtype = "uint8"
    is_storage = True

    def __init__(self) -> None:
        pass

    @property
    def limits(self) -> tuple[int, int]:
        return 0, 255
