"""Recordings: samples as written, headers compared with what follows, and the resampler against a sine."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from kt2t.data.sources.contents import Contents
from kt2t.data.sources.wav import decode_recording, is_named_as_recording, resampled, sound_facts
from kt2t.errors import DataError

soundfile = pytest.importorskip("soundfile")
SAMPLES = (np.random.default_rng(0).integers(-32768, 32768, 1000) / 32768).astype(np.float32)


def written(samples: np.ndarray = SAMPLES, rate: int = 8000, format: str = "WAV", **options) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, samples, rate, format=format, subtype=options.pop("subtype", "PCM_16"))
    return held.getvalue()


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_samples_come_back(format):
    found = decode_recording(written(format=format), 8000)
    np.testing.assert_array_equal(found, SAMPLES)
    assert found.dtype == np.float32
    assert sound_facts(written(format=format)).frames == 1000


def test_stereo_is_averaged():
    both = np.stack([SAMPLES, -SAMPLES / 2], axis=1)
    np.testing.assert_allclose(decode_recording(written(both, subtype="FLOAT"), 8000), SAMPLES / 4, atol=1e-6)


def test_a_header_that_promises_more_than_there_is():
    data = written()
    for length in (len(data) - 1, len(data) - 2, 500, 45):
        # libsndfile itself reads such a file as a shorter one, without a word
        assert len(soundfile.read(io.BytesIO(data[:length]))[0]) < 1000
        with pytest.raises(DataError, match="'a.wav' is a damaged wav file: its header promises 2,044 bytes and it has"):
            decode_recording(Contents.at("a.wav", data[:length]), 8000)
    longer = data[:40] + struct.pack("<I", 2002) + data[44:]
    with pytest.raises(DataError, match="its part 'data' promises 2,002 bytes; 2,000 follow"):
        decode_recording(longer, 8000)
    assert len(decode_recording(data + b"junk", 8000)) == 1000


@pytest.mark.parametrize("cut", [50, 300, 1500])
def test_a_flac_cut_short_is_refused(cut):
    data = written(format="FLAC")
    with pytest.raises(DataError, match="'a.flac' "):
        decode_recording(Contents.at("a.flac", data[:-cut]), 8000)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flipped_bits_of_a_flac_are_seen(subtype):
    data = bytearray(written(format="FLAC", subtype=subtype))
    decode_recording(bytes(data), 8000)
    for place in range(len(data) - 1200, len(data), 97):
        data[place] ^= 16
        with pytest.raises(DataError, match="'a.flac' "):
            decode_recording(Contents.at("a.flac", bytes(data)), 8000)
        data[place] ^= 16


@pytest.mark.parametrize(
    "data, told",
    [
        (b"", "is empty"),
        (b"RIFF", "it ends within its header, after 4 bytes"),
        (written()[:20], "its header promises 2,044 bytes and it has 20"),
        (written(SAMPLES[:0]), "its header promises no samples"),
        (written()[:4] + b"\xff\xff\xff\xff" + written()[8:], "gives no length"),
        (written()[:40] + b"\xff\xff\xff\xff" + written()[44:], "gives no length of the samples"),
        (written()[:4] + struct.pack("<I", 2035) + written()[8:40] + struct.pack("<I", 1999) + written()[44:-1],
         "1,999 bytes are no whole number of samples of 2"),
        (b"fLaC" + bytes(100), "cannot be read as a recording"),
        (b"hello, this is text" * 9, "cannot be read as a recording"),
        (written(format="OGG", subtype="VORBIS"), "is of the format OGG"),
        (written(np.array([0.5, np.nan]), subtype="FLOAT"), "numbers that are not finite"),
        (written(rate=16000), "has 16,000 samples per second; 8,000 belong there"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_refused_is_named(data, told):
    with pytest.raises(DataError, match=f"'a.wav' .*{told}"):
        decode_recording(Contents.at("a.wav", data), 8000)


@pytest.mark.parametrize("before, after", [(8000, 16000), (16000, 8000), (44100, 16000), (11025, 8000)])
def test_a_sine_stays_a_sine_at_another_rate(before, after):
    seconds = np.arange(before // 4) / before
    found = resampled(0.9 * np.sin(2 * np.pi * 440 * seconds), before, after)
    assert len(found) == -(-len(seconds) * after // before)
    wanted = 0.9 * np.sin(2 * np.pi * 440 * np.arange(len(found)) / after)
    np.testing.assert_allclose(found[200:-200], wanted[200:-200], atol=1e-4)
    assert len(decode_recording(written(rate=before), after, resample=True)) == -(-1000 * after // before)


def test_what_the_lower_rate_cannot_hold_is_filtered_out():
    high = np.sin(2 * np.pi * 5200 * np.arange(4000) / 16000)
    assert np.abs(resampled(high, 16000, 8000)[100:-100]).max() < 1e-3


def test_names():
    assert is_named_as_recording("a/B.WAV") and is_named_as_recording("x.flac") and not is_named_as_recording("x.mp3")
