"""The base class of vocabularies: convert text to ids and back, are trained once, and are stored in a folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.rows import ended, rows_of
from kt2t.data.vocabularies.unicode_text import checked
from kt2t.disk import is_plain_name
from kt2t.errors import DataError, Kt2tError
from kt2t.features import END, PADDING
from kt2t.registry import build, describe, type_name

FILE = "vocabulary.json"
FORMAT = 1
LARGEST = 2**31 - 1  # ids are int32


class Vocabulary:
    """Base class of vocabularies. Id 0 is padding, and id 1 ends a sequence.

    A subclass has `encode`, `decode_ids` and `size`. If it must be trained, it also has `train`, `trained`, `contents`
    and `restore`. The constructor's options say how to train; `save` and `load` store what was learned.
    """

    trained = True
    requested_size = 512  # if the options name no size
    lossless = True  # whether decoding restores every text exactly
    begins_with_space = False  # whether `encode` puts a space before each text

    @property
    def expected_size(self) -> int:
        """The actual size; before training, the requested one."""
        return self.size if self.trained else self.requested_size

    @property
    def size(self) -> int:
        """The actual number of ids, including padding and end.

        Raises:
            DataError: The vocabulary must be trained first.
        """
        raise NotImplementedError

    def train(self, texts: Iterable[str]) -> None:
        """Trains the vocabulary on texts, replacing an earlier training. Does nothing if the options fix everything.

        Raises:
            DataError: The texts are empty or do not allow a vocabulary of this kind.
        """

    def encode(self, text: str) -> list[int]:
        """Encodes a text to ids, without an end id."""
        raise NotImplementedError

    def decode_ids(self, ids: list[int]) -> str:
        """Decodes ids that contain neither padding nor an end id."""
        raise NotImplementedError

    def contents(self) -> dict[str, bytes]:
        """Returns what was learned, as the bytes of files by name."""
        return {}

    def restore(self, contents: Mapping[str, bytes]) -> None:
        """Restores what `contents` of a trained vocabulary returned."""

    def encode_all(self, texts: Sequence[str], threads: int | None = None) -> list[np.ndarray]:
        """Encodes texts to int32 arrays, without end ids. Some vocabularies use several `threads`."""
        return rows_of([self.encode(text) for text in texts])

    def encode_ended(self, texts: Sequence[str], threads: int | None = None) -> list[np.ndarray]:
        """Like `encode_all`, with the end id after each text."""
        return ended(self.encode_all(texts, threads))

    def decode(self, ids: Any) -> Any:
        """Decodes ids (time,) to a text, up to the first end id; skips padding. A batch of them gives a list of texts."""
        if is_batch(ids):
            return [self.decode(row) for row in ids]
        kept = []
        for number in ids:
            if number == END:
                break
            if number != PADDING:
                kept.append(int(number))
        return self.decode_ids(kept)

    @property
    def fingerprint(self) -> str:
        """Identifies the vocabulary: the sha256 of everything that decides which id means what."""
        digest = hashlib.sha256(f"{type_name(type(self))} {self.size}".encode())
        for name, data in sorted(self.contents().items()):
            digest.update(f"\n{name} {len(data)}\n".encode() + data)
        return digest.hexdigest()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes `vocabulary.json` and the learned files into a folder, and creates the folder if needed.

        Raises:
            DataError: The vocabulary must be trained first.
        """
        place = Path(folder)
        note = {
            "format": FORMAT,
            "vocabulary": describe(self, full=True),
            "size": self.size,
            "fingerprint": self.fingerprint,
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in self.contents().items()},
        }
        place.mkdir(parents=True, exist_ok=True)
        for name, data in self.contents().items():
            (place / name).write_bytes(data)
        (place / FILE).write_text(json.dumps(note, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> Any:
        """Loads a vocabulary of any class from its folder.

        Raises:
            DataError: A file is missing or unreadable, or its hash differs from the recorded one.
        """
        place = Path(folder)
        note = _note(place / FILE)
        contents = {name: _checked(place / name, expected) for name, expected in note["files"].items()}
        try:
            vocabulary = build(note["vocabulary"], "vocabulary")
            vocabulary.restore(contents)
            fingerprint = vocabulary.fingerprint
        except (Kt2tError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise DataError(
                f"{str(place / FILE)!r} and the files beside it are no vocabulary: {error}. Prepare the problem again."
            ) from error
        if fingerprint != note["fingerprint"]:
            raise DataError(
                f"{str(place)!r} holds a vocabulary with fingerprint {fingerprint}, but {FILE} records "
                f"{note['fingerprint']}. Prepare the problem again."
            )
        return vocabulary

    def require_training(self) -> None:
        """Raises an error if the vocabulary was neither trained nor loaded.

        Raises:
            DataError: The vocabulary must be trained first.
        """
        if not self.trained:
            raise DataError(
                f"{type(self).__name__} is not trained yet. Call its problem's prepare() first, or run kt2t prepare."
            )


def vocabulary_of(value: Any, option: str = "vocabulary") -> Vocabulary:
    """Builds the vocabulary that a problem's option gives.

    Args:
        value: A vocabulary, or its node in a recipe.
        option: Name of the option, for the error message.

    Raises:
        ValueError: The value is neither.
    """
    found = build(value, "vocabulary")
    if not isinstance(found, Vocabulary):
        raise ValueError(
            f"{option}: {value!r} is no vocabulary. Name its type, as in {{type: Subwords, size: 8000}}; "
            "`kt2t list vocabularies` shows all."
        )
    return found


def is_batch(ids: Any) -> bool:
    """Returns whether ids are those of several texts, such as an array (batch, time), and not of one."""
    if hasattr(ids, "ndim"):
        return bool(ids.ndim > 1)
    return isinstance(ids, list | tuple) and bool(ids) and (isinstance(ids[0], list | tuple) or np.ndim(ids[0]) > 0)


def tally(texts: Iterable[str], split: Callable[[str], Iterable[str]], what: str) -> dict[str, int]:
    """Counts the parts of texts. Returns the most frequent first; equal counts are in code point order.

    Args:
        texts: The training texts.
        split: Splits a text into parts.
        what: Name of the vocabulary, for the error message.

    Raises:
        DataError: The texts have no parts, or a text is no valid Unicode.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(split(checked(text)))
    if not counts:
        raise DataError(f"{what} cannot be trained: the training texts are empty. Check the training files.")
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        if note["format"] != FORMAT:
            raise DataError(f"{str(path)!r} has format {note['format']}; this kt2t reads {FORMAT}.")
        if not isinstance(note["files"], dict):
            raise TypeError(f"files: {note['files']!r} are no names with hashes")
        if elsewhere := [name for name in note["files"] if not is_plain_name(name)]:
            raise DataError(f"{str(path)!r} names a file elsewhere: {elsewhere[0][:80]!r}. Prepare the problem again.")
        return {key: note[key] for key in ("vocabulary", "size", "fingerprint", "files")}
    except FileNotFoundError:
        raise DataError(f"{str(path)!r} does not exist. Prepare the problem to make it.") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{str(path)!r} cannot be read as a vocabulary: {error!r}. Prepare the problem again."
        ) from error


def _checked(path: Path, expected: str) -> bytes:
    if path.exists() and not path.is_file():
        raise DataError(f"{str(path)!r} is not a file. Prepare the problem again.")
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"{str(path)!r}, which {FILE} names, cannot be read: {reason}. Prepare the problem again."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise DataError(
            f"{str(path)!r} is damaged: its sha256 is {found}, but {FILE} records {expected}. Prepare the problem again."
        )
    return data
