"""Recordings from files and back."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from kt2t.data.sounds import read_sound, wav
from kt2t.errors import DataError

SINE = np.sin(np.arange(800) / 8).astype("float32")


def test_there_and_back(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(SINE, 8000))
    found = read_sound(tmp_path / "a.wav", 8000)
    assert found.dtype == np.float32 and found.shape == (800,)
    np.testing.assert_allclose(found, SINE, atol=1 / 32000)


def test_what_a_wav_holds():
    with wave.open(io.BytesIO(wav([2.0, -2.0, 0.0], 16000))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [32767, -32768, 0], "what is too loud is cut off"


def test_channels_are_averaged(tmp_path):
    with wave.open(str(tmp_path / "two.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.array([[1000, 3000], [-200, 200]], "<i2").tobytes())
    np.testing.assert_allclose(read_sound(tmp_path / "two.wav", 8000), [2000 / 32768, 0], atol=1e-6)


def test_files_that_are_not_that_recording(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(SINE, 8000))
    with pytest.raises(DataError, match="a.wav' has 8,000 samples per second; 16,000 belong there"):
        read_sound(tmp_path / "a.wav", 16000)
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(DataError, match="text.wav' cannot be read as a recording"):
        read_sound(tmp_path / "text.wav", 8000)
    (tmp_path / "empty.wav").write_bytes(wav([], 8000))
    with pytest.raises(DataError, match="empty.wav' is a damaged wav file: its header promises no samples"):
        read_sound(tmp_path / "empty.wav", 8000)
    with pytest.raises(DataError, match="none.wav' does not exist"):
        read_sound(tmp_path / "none.wav", 8000)
