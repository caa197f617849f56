"""Recordings."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.options import positive
from kt2t.registry import register

HOP_MILLISECONDS = 10  # between two frames of a spectrogram


@register
class Audio(Feature):
    """A mono recording.

    A model makes one position of `milliseconds` of sound: frames of a spectrogram every 10 ms, thinned out by strided
    convolutions.

    Shapes:
        (batch, time) float32 from -1 to 1, with `_segments`

    Args:
        rate: Samples per second.
        milliseconds: Sound that makes one position: 10, 20, 40 or 80.

    Raises:
        ValueError: `rate` is not positive, `milliseconds` is another number, or 10 ms are no whole number of samples.
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
