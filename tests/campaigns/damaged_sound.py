"""Damages recordings, and looks at what `prepare` makes of them. See `damages.py` for what counts as good.

cd tests && python -m campaigns.damaged_sound --seed 1 --count 500
"""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import numpy as np
import soundfile

from kt2t.data.sources.wav import decode_recording
from kt2t.data.speech.spoken_digits import SpokenDigits

from . import damages
from .damages import cut, flipped, unknowable

KINDS = {}
HEADER = 44  # bytes of a wav file of libsndfile before its samples


def samples(chance: random.Random, count: int | None = None) -> np.ndarray:
    """16-bit samples of noise under an envelope."""
    count = chance.randint(400, 2000) if count is None else count
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, 3000, count)
    return np.clip(noise * np.hanning(max(count, 1))[:count], -32768, 32767).astype(np.int16)


def written(values: np.ndarray, format: str = "WAV", rate: int = 8000) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, values, rate, format=format, subtype="PCM_16")
    return held.getvalue()


def folder_with(data: bytes, suffix: str, chance: random.Random, folder: Path) -> SpokenDigits:
    """Two whole recordings to train on and one to test, and one more to train on."""
    (folder / "raw").mkdir()
    for name in ("0_ann_5.wav", "1_ann_5.wav", "0_ann_0.wav"):
        (folder / "raw" / name).write_bytes(written(samples(chance)))
    (folder / "raw" / f"9_bob_7{suffix}").write_bytes(data)
    return SpokenDigits(str(folder / "raw"))


def answer(data: bytes, whole: np.ndarray, suffix: str, chance: random.Random, folder: Path) -> str:
    problem = folder_with(data, suffix, chance, folder)
    if damages.prepared(problem, folder, f"9_bob_7{suffix}"):
        return "named"
    notes = problem.prepared.manifest["splits"]
    assert notes["train"]["records"] + notes["validation"]["records"] == 3, "a recording is lost"
    found = decode_recording(data, 8000)
    return "same" if np.array_equal(found, whole / np.float32(32768)) else "unknowable"


def kind(function):
    KINDS[function.__name__.replace("_", " ")] = function
    return function


@kind
def wav_cut_short(chance: random.Random, folder: Path) -> str:
    whole = samples(chance)
    return answer(cut(written(whole), chance), whole, ".wav", chance, folder)


@kind
def wav_shorter_than_its_header(chance: random.Random, folder: Path) -> str:
    whole = samples(chance)
    data = written(whole)
    more = 2 * chance.randint(1, 5000)
    size, length = struct.unpack("<I", data[4:8])[0], 2 * len(whole)
    told = chance.choice(["both", "data", "RIFF"])
    data = data[:4] + struct.pack("<I", size + more * (told != "data")) + data[8:]
    data = data[:40] + struct.pack("<I", length + more * (told != "RIFF")) + data[44:]
    return answer(data, whole, ".wav", chance, folder)


@kind
def wav_without_samples(chance: random.Random, folder: Path) -> str:
    data = chance.choice([written(samples(chance, 0)), b"", written(samples(chance))[:HEADER]])
    return answer(data, np.zeros(0), ".wav", chance, folder)


@kind
def unexpected_rate(chance: random.Random, folder: Path) -> str:
    data = written(samples(chance), rate=chance.choice([11025, 16000, 22050, 44100, 48000, 7999]))
    return answer(data, np.zeros(0), ".wav", chance, folder)


@kind
@unknowable
def wav_with_flipped_bits(chance: random.Random, folder: Path) -> str:
    whole = samples(chance)
    return answer(flipped(written(whole), chance), whole, ".wav", chance, folder)


@kind
def flac_cut_short(chance: random.Random, folder: Path) -> str:
    whole = samples(chance)
    return answer(cut(written(whole, "FLAC"), chance), whole, ".flac", chance, folder)


@kind
def flac_with_flipped_bits(chance: random.Random, folder: Path) -> str:
    whole = samples(chance)
    return answer(flipped(written(whole, "FLAC"), chance), whole, ".flac", chance, folder)


@kind
def text_named_wav(chance: random.Random, folder: Path) -> str:
    data = bytes(chance.choice(b"abcdef \n") for _ in range(chance.randint(1, 300)))
    return answer(data, np.zeros(0), ".wav", chance, folder)


if __name__ == "__main__":
    damages.main(KINDS)
