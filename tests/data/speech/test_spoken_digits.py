"""Spoken digits: the official split, draws, and recordings that do not fit."""

from __future__ import annotations

import io
import logging

import numpy as np
import pytest

from kt2t.data.draw import Draw
from kt2t.data.speech.spoken_digits import SpokenDigits
from kt2t.errors import DataError
from kt2t.features import Audio, Label

soundfile = pytest.importorskip("soundfile")


def tone(digit: int, number: int, rate: int = 8000, channels: int = 1) -> bytes:
    samples = 0.5 * np.sin(2 * np.pi * 100 * (digit + 1) * np.arange(rate // 10 + 10 * number) / rate)
    held = io.BytesIO()
    soundfile.write(held, np.stack([samples] * channels, axis=1), rate, format="WAV", subtype="PCM_16")
    return held.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "raw").mkdir()
    for digit in (0, 7):
        for number in (0, 4, *range(5, 11)):
            (tmp_path / "raw" / f"{digit}_ann_{number}.wav").write_bytes(tone(digit, number))
    return tmp_path / "raw"


def test_the_official_split_of_the_real_archive(test_data):
    problem = SpokenDigits(str(test_data / "fsdd" / "fsdd_5speakers.tar.gz"))
    test = list(problem.examples("test"))
    assert len(test) == 250 and len(problem._recordings("train")) == 2250
    assert [sum(one["targets"] == str(digit) for one in test) for digit in range(10)] == [25] * 10
    encoded = problem.encode(test[0])
    assert test[0]["inputs"].place.endswith("0_george_0.wav") and encoded["targets"] == 0
    assert len(encoded["inputs"]) == (len(test[0]["inputs"]) - 44) // 2  # 16 bits behind 44 bytes of header


def test_end_to_end(folder, tmp_path):
    problem = SpokenDigits(str(folder))
    problem.prepare(tmp_path / "data")
    assert problem.features() == {"inputs": Audio(8000, 40), "targets": Label(10)}
    sample = problem.sample(4, "test")
    assert sample["targets"].tolist() == [0, 0, 7, 7] and sample["inputs"].shape == (4, 960)  # three positions of 320
    assert sample["inputs_segments"].sum(1).tolist() == [800, 840, 800, 840]
    np.testing.assert_allclose(sample["inputs"][2, :800], 0.5 * np.sin(0.2 * np.pi * np.arange(800)), atol=1e-4)
    assert [line["targets"] for line in problem.references("test")] == ["0", "0", "7", "7"]


def test_loudness_and_beginning_follow_from_the_draw(tmp_path):
    problem = SpokenDigits(str(tmp_path), gain=6.0, shift=0.2)
    samples = np.linspace(0.1, 0.4, 100).astype(np.float32)
    example = {"inputs": samples, "targets": np.int32(3)}
    assert problem.transform("test", example, None) is example
    gains, lengths = [], []
    for index in range(200):
        found = problem.transform("train", example, Draw(1, 0, index))["inputs"]
        np.testing.assert_array_equal(found, problem.transform("train", example, Draw(1, 0, index))["inputs"])
        gains.append(20 * np.log10(found[-1] / samples[-1]))
        lengths.append(len(found))
        if len(found) > 100:
            assert not found[: len(found) - 100].any()
    assert -6 <= min(gains) < -5 and 5 < max(gains) <= 6.001
    assert min(lengths) in (80, 81) and max(lengths) in (119, 120)
    loud = SpokenDigits(str(tmp_path), gain=20.0).transform("train", {"inputs": samples * 2}, Draw(1, 0, 3))["inputs"]
    assert np.abs(loud).max() <= 1


def test_another_rate_is_refused_or_resampled_and_stereo_said_once(folder, tmp_path, caplog):
    (folder / "7_ann_20.wav").write_bytes(tone(7, 2, rate=16000))
    (folder / "7_ann_21.wav").write_bytes(tone(7, 2, channels=2))
    (folder / "7_ann_22.wav").write_bytes(tone(7, 3, channels=2))
    with pytest.raises(DataError, match="7_ann_20.wav' has 16,000 samples per second; 8,000 belong there"):
        SpokenDigits(str(folder)).prepare(tmp_path / "data")
    assert not [path for path in (tmp_path / "data").iterdir() if path.is_dir()]
    problem = SpokenDigits(str(folder), resample=True)
    with caplog.at_level(logging.WARNING, "kt2t"):
        problem.prepare(tmp_path / "data")
    counts = [problem.prepared.manifest["splits"][split]["counts"] for split in ("train", "validation")]
    assert sum(count["mixed down from several channels"] for count in counts) == 2
    assert sum(count["resampled"] for count in counts) == 1
    assert caplog.text.count("recordings are mixed down from several channels") == 1


def test_names_and_places_that_are_wrong(folder, tmp_path):
    with pytest.raises(DataError, match="problem.path: '.*nowhere' does not exist"):
        next(iter(SpokenDigits(str(tmp_path / "nowhere")).examples("train")))
    (folder / "seven.wav").write_bytes(tone(7, 1))
    with pytest.raises(DataError, match="names are not DIGIT_SPEAKER_NUMBER: seven.wav"):
        next(iter(SpokenDigits(str(folder)).examples("train")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no recordings for test"):
        next(iter(SpokenDigits(str(tmp_path / "empty")).examples("test")))
    with pytest.raises(ValueError, match="gain: -1 decibels is negative"):
        SpokenDigits("x", gain=-1)
