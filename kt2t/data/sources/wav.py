"""Recordings: wav and flac files to samples, and what is wrong with them."""

from __future__ import annotations

import hashlib
import io
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.sources.contents import place_of
from kt2t.errors import DataError, ResourceError

SUFFIXES = (".wav", ".flac")
FORMATS = ("WAV", "WAVEX", "FLAC")
LONGEST = 3600.0  # seconds
HALF_WIDTH = 16  # zero crossings of the resampling filter on each side
_UNKNOWN_SIZE = (0, 0xFFFFFFFF)  # what programs write into a header before they know the length


@dataclass(frozen=True)
class SoundFacts:
    """Sampling rate, channels and length of a recording, read from its header.

    Attributes:
        rate: Samples per second.
        channels: 1 for mono, 2 for stereo.
        frames: Samples of each channel.
        format: WAV, WAVEX or FLAC.
    """

    rate: int
    channels: int
    frames: int
    format: str


def decode_recording(data: bytes, rate: int, resample: bool = False, where: str = "the recording") -> np.ndarray:
    """Decodes a recording to the samples of one channel.

    Several channels are averaged. Another sampling rate is refused, or changed by `resampled`.

    Shapes:
        → (samples,) float32 from -1 to 1

    Args:
        data: The bytes of a wav or flac file.
        rate: Samples per second that the caller takes.
        resample: Whether a recording of another rate is resampled.
        where: What the recording is called in errors, where the bytes are no `Contents`.

    Raises:
        DataError: The file is damaged, shorter than its header says, without samples, of another format or rate, longer than
            an hour, or holds numbers that are not finite.
        ResourceError: soundfile is not installed.
    """
    where = place_of(data, where)
    facts = sound_facts(data, where)
    if facts.rate != rate and not resample:
        raise DataError(
            f"'{where}' has {facts.rate:,} samples per second; {rate:,} belong there. "
            "Convert it, or let kt2t do it with problem.resample=true."
        )
    samples = _samples(data, facts, where)
    return resampled(samples, facts.rate, rate) if facts.rate != rate else samples


def sound_facts(data: bytes, where: str = "the recording") -> SoundFacts:
    """Reads a recording's header and checks it against the bytes that follow.

    Raises:
        DataError: See `decode_recording`.
        ResourceError: soundfile is not installed.
    """
    where = place_of(data, where)
    if not data:
        raise DataError(f"'{where}' is empty.")
    if damage := _wav_damage(data):
        raise DataError(f"'{where}' is a damaged wav file: {damage}.")
    soundfile = _soundfile()
    try:
        found = soundfile.info(io.BytesIO(data))
    except soundfile.LibsndfileError as error:
        raise DataError(f"'{where}' cannot be read as a recording: {_reason(error)}.") from error
    if found.format not in FORMATS:
        raise DataError(f"'{where}' is of the format {found.format}. kt2t reads wav and flac; convert it.")
    if not found.frames:
        raise DataError(f"'{where}' has no samples.")
    if found.frames > LONGEST * found.samplerate:
        raise DataError(f"'{where}' lasts {found.frames / found.samplerate:,.0f} seconds; {LONGEST:,.0f} are the most.")
    return SoundFacts(found.samplerate, found.channels, found.frames, found.format)


def resampled(samples: np.ndarray, before: int, after: int) -> np.ndarray:
    """Changes the sampling rate of a recording, by a polyphase filter.

        y(n) = Σ_k x(k) · h(n · down - k · up),   h a windowed sinc that ends at the lower rate's half

    Shapes:
        (samples,) → (⌈samples · after / before⌉,) float32, cut to -1 … 1

    Args:
        samples: The recording.
        before: Samples per second of the recording.
        after: Samples per second of the result.

    Source: Crochiere and Rabiner 1983, section 3.3; a Kaiser window with β = 8.
    """
    common = math.gcd(before, after)
    up, down = after // common, before // common
    widest = max(up, down)
    reach = HALF_WIDTH * widest
    places = np.arange(-reach, reach + 1)
    taps = up / widest * np.sinc(places / widest) * np.kaiser(len(places), 8.0)
    result = np.zeros(-(-len(samples) * up // down))
    margin = len(places) // up + 2
    padded = np.pad(np.asarray(samples, np.float64), margin)
    for phase in range(min(up, len(result))):
        # Output n reads sample k where k · up = n · down + place; its filter is the taps with such a place.
        outputs = np.arange(phase, len(result), up)
        meeting = (places + phase * down) % up == 0
        first = (outputs * down + places[meeting][0]) // up
        windows = np.lib.stride_tricks.sliding_window_view(padded, int(meeting.sum()))
        result[outputs] = windows[first + margin] @ taps[meeting]
    return np.clip(result, -1, 1).astype(np.float32)


def _samples(data: bytes, facts: SoundFacts, where: str) -> np.ndarray:
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            read = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DataError(f"'{where}' cannot be read to its end: {_reason(error)}.") from error
    if len(read) != facts.frames:
        raise DataError(f"'{where}' ends after {len(read):,} of the {facts.frames:,} samples that its header promises.")
    if not np.isfinite(read).all():
        raise DataError(f"'{where}' holds numbers that are not finite.")
    if facts.format == "FLAC" and not _has_its_md5(data):
        raise DataError(f"'{where}' is a damaged flac file: its samples do not have the checksum that it holds.")
    return read[:, 0] if facts.channels == 1 else read.mean(axis=1, dtype=np.float32)


def _wav_damage(data: bytes) -> str | None:
    """What is wrong with the chunks of a wav file, if anything: libsndfile reads a shorter recording without a word."""
    if data[:4] not in (b"RIFF", b"RIFX"):
        return None  # flac, or whatever libsndfile makes of it
    order = "<" if data[:4] == b"RIFF" else ">"
    if len(data) < 12 or data[8:12] != b"WAVE":
        return f"it ends within its header, after {len(data)} bytes" if len(data) < 12 else "it is no WAVE inside"
    size = struct.unpack_from(f"{order}I", data, 4)[0]
    if size in _UNKNOWN_SIZE:
        return "its header gives no length, as a recording that was broken off"
    if size + 8 > len(data):
        return f"its header promises {size + 8:,} bytes and it has {len(data):,}"
    place, align = 12, 0
    while place + 8 <= min(len(data), size + 8):
        kind, length = struct.unpack_from(f"{order}4sI", data, place)
        if length in _UNKNOWN_SIZE and kind == b"data":
            return "its header promises no samples" if not length else "its header gives no length of the samples"
        if place + 8 + length > len(data):
            return f"its part {kind.decode('latin-1')!r} promises {length:,} bytes; {len(data) - place - 8:,} follow"
        if kind == b"fmt " and length >= 16:
            align = struct.unpack_from(f"{order}H", data, place + 20)[0]
        if kind == b"data":
            return (
                f"its {length:,} bytes are no whole number of samples of {align}" if align and length % align else None
            )
        place += 8 + length + length % 2
    return "it has no samples: there is no part 'data'"


def _has_its_md5(data: bytes) -> bool:
    """Whether the samples of a flac file have the MD5 that stands in its header; libsndfile does not compare them."""
    wanted = data[26:42]
    if data[:4] != b"fLaC" or not any(wanted):  # zeros where the encoder did not compute it
        return True
    soundfile = _soundfile()
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}.get(file.subtype)
        samples = file.read(dtype="int32", always_2d=True)
    if bits is None:
        return True
    whole = np.ascontiguousarray(samples >> (32 - bits)).astype("<i4").view(np.uint8).reshape(-1, 4)
    return hashlib.md5(np.ascontiguousarray(whole[:, : bits // 8]).tobytes(), usedforsecurity=False).digest() == wanted


def _reason(error: Any) -> str:
    return str(error).partition(": ")[2].rstrip(". ") or str(error)


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise ResourceError(
            "recordings are read by soundfile, which is missing. Run: pip install 'kt2t[audio]'."
        ) from error
    return soundfile


def is_named_as_recording(name: str) -> bool:
    """Returns whether a file's name ends like that of a wav or flac file."""
    return Path(name).suffix.lower() in SUFFIXES
