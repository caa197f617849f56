"""Recordings from files and as wav files."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.sources.contents import whole_file
from kt2t.data.sources.wav import decode_recording

LOUDEST = 32768  # of 16 bits, where 1.0 is one beyond the largest


def read_sound(path: str | Path, rate: int) -> np.ndarray:
    """Reads a recording as samples; several channels are averaged.

    Shapes:
        a file (wav, FLAC, …) → (samples,) float32 from -1 to 1

    Raises:
        DataError: The file is missing, no recording, damaged, empty, or has another rate.
        ResourceError: soundfile is not installed.
    """
    return decode_recording(whole_file(Path(path)), rate)


def wav(value: Any, rate: int) -> bytes:
    """Encodes samples as the bytes of a wav file of 16 bits.

    Shapes:
        value (samples,) from -1 to 1; what is louder is cut off
    """
    samples = np.clip(np.round(np.asarray(value, np.float64).reshape(-1) * LOUDEST), -LOUDEST, LOUDEST - 1)
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return held.getvalue()
