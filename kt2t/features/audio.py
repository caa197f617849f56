"""Recordings."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.options import positive
from kt2t.registry import register

HOP_MILLISECONDS = 10  # between two frames of a spectrogram


@register
class Audio(Feature):
    """A field that holds a mono recording.

    A model reads one position per `milliseconds` of sound: strided convolutions over a spectrogram with a frame every
    10 ms.

    Shapes:
        (batch, time) float32 from -1 to 1, with `_segments`

    Args:
        rate: Samples per second.
        milliseconds: Length of sound per position: 10, 20, 40 or 80.

    Raises:
        ValueError: `rate` is not positive or 10 ms are not a whole number of samples, or `milliseconds` is another number.
    """

    shape = (None,)
    dtype = "float32"

    def __init__(self, rate: int = 16_000, milliseconds: int = 40) -> None:
        self.rate = positive("rate", rate)
        if milliseconds not in (10, 20, 40, 80):
            raise ValueError(f"milliseconds: {milliseconds} cannot make a position. Choose 10, 20, 40 or 80.")
        if rate * HOP_MILLISECONDS % 1000:
            raise ValueError(f"rate: {rate} has no whole number of samples in 10 ms. Resample to 8,000 or 16,000.")
        self.milliseconds = milliseconds

    @property
    def values_per_position(self) -> int:  # type: ignore[override]
        return self.rate * self.milliseconds // 1000
