"""Spoken digits: 50 recordings of each digit by each speaker."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.problem import Example, Problem
from kt2t.data.sources.contents import contents_of, names_in
from kt2t.data.sources.wav import decode_recording, is_named_as_recording, sound_facts
from kt2t.data.vocabularies.classes import Classes
from kt2t.errors import DataError, listed
from kt2t.features import Audio, Feature, Label
from kt2t.options import below_one
from kt2t.registry import register

DIGITS = [str(digit) for digit in range(10)]
FIRST_OF_TRAINING = 5  # recordings 0 to 4 of each digit and speaker are the official test set
_NAME = re.compile(r"(?:.*/)?([0-9])_([^/_]+)_([0-9]+)\.[A-Za-z]+")

logger = logging.getLogger("kt2t")


@register
class SpokenDigits(Problem):
    """Recordings of English digits, from the files of the Free Spoken Digit Dataset: `DIGIT_SPEAKER_NUMBER.wav`.

    The official split is used: numbers 0 to 4 of each digit and speaker are `test`, all others `train`, of which some are
    held out for `validation`.

    In training, a recording is played louder or quieter and begins earlier or later at random.

    Args:
        path: A folder, or a tar archive, plain or compressed, with the recordings.
        rate: Samples per second of the recordings.
        milliseconds: See `Audio`.
        resample: Whether recordings of another rate are resampled; they are refused otherwise.
        gain: In training, the loudness is raised or lowered by up to this number of decibels.
        shift: In training, up to this share of a recording's length is cut off at one end or added there as silence.
        skip: How many damaged recordings may be left out of each split; they are logged and counted in the manifest. One
            more is an error.
        loss: See `Problem`.

    Raises:
        ValueError: A number is out of range, or `Audio` refuses the rate.

    Source: Jackson et al. 2018, Free Spoken Digit Dataset.
    """

    training_options = Problem.training_options | {"milliseconds", "gain", "shift"}

    def __init__(
        self,
        path: str,
        rate: int = 8000,
        milliseconds: int = 40,
        resample: bool = False,
        gain: float = 0.0,
        shift: float = 0.0,
        skip: int = 0,
        loss: Any = None,
    ) -> None:
        super().__init__(loss=loss)
        if gain < 0:
            raise ValueError(f"gain: {gain} decibels is negative.")
        if skip < 0:
            raise ValueError(f"skip: {skip} is negative.")
        self.path = path
        self.audio = Audio(rate, milliseconds)
        self.resample = resample
        self.gain = gain
        self.shift = below_one("shift", shift)
        self.skip = skip
        self._classes = Classes(DIGITS)
        self._said: set[str] = set()

    def splits(self) -> tuple[str, ...]:
        return ("train", "test")

    def source_files(self) -> list[Path]:
        return [Path(self.path).expanduser()]

    def vocabularies(self) -> dict[str, Any]:
        return {"targets": self._classes}

    def features(self) -> dict[str, Feature]:
        return {"inputs": self.audio, "targets": Label(len(DIGITS))}

    def examples(self, split: str) -> Iterator[Example]:
        digit_of = self._recordings(split)
        for name, contents in contents_of(Path(self.path).expanduser(), set(digit_of)):
            yield {"inputs": contents, "targets": digit_of[name]}

    def encode(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        samples = example["inputs"]
        if isinstance(samples, bytes):
            samples = decode_recording(samples, self.audio.rate, self.resample)
        encoded = {"inputs": np.asarray(samples, np.float32)}
        if "targets" in example:
            encoded["targets"] = np.asarray(self._classes.number(example["targets"]), np.int32)
        return encoded

    def counted(self, examples: Sequence[Mapping[str, Any]], encoded: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for example in examples:
            facts = sound_facts(example["inputs"])
            counts["mixed down from several channels"] += facts.channels > 1
            counts["resampled"] += facts.rate != self.audio.rate
        for what, count in counts.items():
            if count and what not in self._said:
                self._said.add(what)
                logger.warning("%s: recordings are %s; the manifest counts them", type(self).__name__, what)
        return dict(counts)

    def transform(self, split: str, example: dict[str, np.ndarray], draw: Any) -> dict[str, np.ndarray]:
        if draw is None or not (self.gain or self.shift):
            return example
        generator = draw.generator()
        samples = example["inputs"] * np.float32(10 ** (generator.uniform(-self.gain, self.gain) / 20))
        most = int(self.shift * len(samples))
        return {**example, "inputs": np.clip(_shifted(samples, int(generator.integers(-most, most + 1))), -1, 1)}

    def _recordings(self, split: str) -> dict[str, str]:
        """The digit of each recording of a split, by name."""
        path = Path(self.path).expanduser()
        names = [name for name in names_in(path) if is_named_as_recording(name)]
        found = [(name, _NAME.fullmatch(name)) for name in names]
        if strange := [name for name, parts in found if parts is None]:
            raise DataError(
                f"'{path}' holds recordings whose names are not DIGIT_SPEAKER_NUMBER: {listed(strange, ', ', 3)}.",
                path="problem.path",
            )
        wanted = {
            name: parts[1]
            for name, parts in found
            if parts and (int(parts[3]) < FIRST_OF_TRAINING) == (split == "test")
        }
        if not wanted:
            raise DataError(f"'{path}' has no recordings for {split}, such as 7_jackson_12.wav.", path="problem.path")
        return wanted


def _shifted(samples: np.ndarray, places: int) -> np.ndarray:
    """Samples that begin later, behind silence, or earlier, without their beginning, where `places` is negative."""
    return np.concatenate([np.zeros(places, samples.dtype), samples]) if places >= 0 else samples[-places:]
