"""What one field of an example is, in plain values: the sockets between problems and models.

A feature knows neither files nor layers. A field of variable length comes with a companion `<field>_segments`
(batch, time) int32: 0 is padding, 1, 2, … says which example of a packed row a position belongs to.
"""

from __future__ import annotations

from kt2t.options import positive
from kt2t.registry import register

PADDING = 0
END = 1


class Feature:
    """One field of an example. `shape` is its shape without the batch axis, None where it varies."""

    shape: tuple[int | None, ...] = ()
    dtype = "int32"

    @property
    def has_segments(self) -> bool:
        """Whether the field comes with a `_segments` companion."""
        return None in self.shape

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._options() == other._options()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, *sorted(self._options().items())))

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options().items() if value is not None)
        return f"{type(self).__name__}({options})"

    def _options(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


@register
class Text(Feature):
    """A sequence of token ids: 0 is padding, 1 ends the sequence.

    Shapes:
        (batch, time) int32, with `_segments`

    Args:
        vocabulary_size: The real number of ids, padding and end included.
        vocabulary: A word for which vocabulary this is; fields with the same size and word share an embedding.

    Raises:
        ValueError: `vocabulary_size` is below 2.
    """

    shape = (None,)

    def __init__(self, vocabulary_size: int, vocabulary: str | None = None) -> None:
        if vocabulary_size < 2:
            raise ValueError(f"vocabulary_size: {vocabulary_size} leaves no room for padding and end; at least 2.")
        self.vocabulary_size = vocabulary_size
        self.vocabulary = vocabulary


@register
class Tags(Feature):
    """One label per position of `inputs`; it shares their segments.

    Shapes:
        (batch, time) int32, with `_segments`; id 0 is padding, tag k is id k + 1

    Args:
        num_classes: How many tags there are, padding not counted.

    Raises:
        ValueError: `num_classes` is not positive.
    """

    shape = (None,)

    def __init__(self, num_classes: int) -> None:
        self.num_classes = positive("num_classes", num_classes)


@register
class Label(Feature):
    """One class for a whole example.

    Shapes:
        (batch,) int32, from 0 to `num_classes` - 1

    Raises:
        ValueError: `num_classes` is not positive.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = positive("num_classes", num_classes)


@register
class MultiLabel(Feature):
    """Any number of classes for a whole example.

    Shapes:
        (batch, num_classes) float32 of zeros and ones

    Raises:
        ValueError: `num_classes` is not positive.
    """

    dtype = "float32"

    def __init__(self, num_classes: int) -> None:
        self.num_classes = positive("num_classes", num_classes)

    @property
    def shape(self) -> tuple[int | None, ...]:  # type: ignore[override]
        return (self.num_classes,)


@register
class Image(Feature):
    """A picture of fixed size.

    Shapes:
        (batch, height, width, channels) uint8

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


@register
class Audio(Feature):
    """A mono recording.

    Shapes:
        (batch, time) float32 from -1 to 1, with `_segments`

    Args:
        rate: Samples per second.

    Raises:
        ValueError: `rate` is not positive.
    """

    shape = (None,)
    dtype = "float32"

    def __init__(self, rate: int = 16_000) -> None:
        self.rate = positive("rate", rate)


@register
class Numbers(Feature):
    """A vector of real numbers.

    Shapes:
        (batch, size) float32

    Raises:
        ValueError: `size` is not positive.
    """

    dtype = "float32"

    def __init__(self, size: int) -> None:
        self.size = positive("size", size)

    @property
    def shape(self) -> tuple[int | None, ...]:  # type: ignore[override]
        return (self.size,)


TABLE = dict.fromkeys(("Text", "Tags", "Label", "MultiLabel", "Image", "Audio", "Numbers"), "features")
