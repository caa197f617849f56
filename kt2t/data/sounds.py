"""Recordings from files and as wav files."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.sources.regular import require_regular
from kt2t.errors import DataError, ResourceError

LOUDEST = 32768  # of 16 bits, where 1.0 is one beyond the largest


def read_sound(path: str | Path, rate: int) -> np.ndarray:
    """A recording as samples; of several channels their mean.

    Shapes:
        a file (wav, FLAC, …) → (samples,) float32 from -1 to 1

    Raises:
        DataError: The file is missing, no recording, damaged, empty, or has another rate.
        ResourceError: soundfile is not installed.
    """
    require_regular(Path(path))
    try:
        import soundfile
    except ImportError:
        raise ResourceError("recordings are read with soundfile. Install it: pip install 'kt2t[audio]'.") from None
    try:
        samples, found = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise DataError(f"'{path}' is no recording that can be read: {error}") from error
    if found != rate:
        raise DataError(f"'{path}' has {found:,} samples per second; the model reads {rate:,}. Resample it.")
    if not len(samples):
        raise DataError(f"'{path}' holds no sound.")
    return samples.mean(1, dtype=np.float32)


def wav(value: Any, rate: int) -> bytes:
    """Samples as the bytes of a wav file of 16 bits.

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
