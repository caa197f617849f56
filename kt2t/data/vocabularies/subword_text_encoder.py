"""Tensor2Tensor's subwords: reads, uses and learns its `.subwords` vocabularies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kt2t.data.sources.regular import require_regular
from kt2t.data.vocabularies.subword_search import learned
from kt2t.data.vocabularies.subword_tokens import (
    ESCAPE_CHARACTERS,
    escape,
    joined,
    longest_parts,
    pieces,
    token_of,
    tokens,
    unescape,
)
from kt2t.data.vocabularies.unicode_text import checked
from kt2t.data.vocabularies.vocabulary import Vocabulary, tally
from kt2t.errors import DataError
from kt2t.options import positive
from kt2t.registry import register

FILE = "vocabulary.subwords"
RESERVED = ("<pad>", "<EOS>")
REMEMBERED = 1 << 18  # tokens in the cache; then it is emptied, so that memory does not grow with the corpus


@register
class SubwordTextEncoder(Vocabulary):
    """Encodes text with Tensor2Tensor's subwords: the same text and file give the same ids. No text is lost.

    Text is split into tokens (see `subword_tokens`), each ending in `_`. A token is split from the left into the longest
    known subwords. The first two subwords of a file stand for padding and end.

    Shapes:
        text → ids, about one for each common word

    Args:
        path: A `.subwords` file. Default: `train` learns subwords from texts.
        size: Number of ids to aim for in training. The attribute `size` is the actual number.

    Raises:
        ValueError: `size` is not positive.
        DataError: The file is missing, cut or no such vocabulary. Raised at the first use.

    Source: Tensor2Tensor, data_generators/text_encoder.py.
    """

    def __init__(self, path: str | None = None, size: int = 8192) -> None:
        self.path = path
        self.requested_size = positive("size", size)
        self._content = b""
        self._subwords: list[str] = []
        self._ids_of = _Ids({}, frozenset())

    @property
    def trained(self) -> bool:  # type: ignore[override]
        return bool(self._subwords) or self.path is not None

    @property
    def size(self) -> int:
        return len(self.subwords())

    def subwords(self) -> list[str]:
        """Returns all subwords in the order of their ids.

        Raises:
            DataError: The file is missing or damaged, or the vocabulary has no file and was not trained.
        """
        if not self._subwords:
            self.require_training()
            self._take(_content(str(self.path)), str(self.path))
        return self._subwords

    def train(self, texts: Iterable[str]) -> None:
        if self.path is None:
            found = learned(tally(texts, tokens, "SubwordTextEncoder"), self.requested_size, RESERVED)
            self._take("".join(f"'{subword}'\n" for subword in found).encode(), FILE)

    def encode(self, text: str) -> list[int]:
        found: list[int] = self._ids(text).tolist()
        return found

    def encode_all(self, texts: Sequence[str], threads: int | None = None) -> list[np.ndarray]:
        return [self._ids(text) for text in texts]

    def decode_ids(self, ids: list[int]) -> str:
        subwords = self.subwords()
        escaped = "".join(subwords[number] for number in ids).split("_")
        return joined([token for token in map(unescape, escaped) if token])

    def contents(self) -> dict[str, bytes]:
        self.subwords()
        return {FILE: self._content}

    def restore(self, contents: Mapping[str, bytes]) -> None:
        self._take(contents[FILE], FILE)

    def _ids(self, text: str) -> np.ndarray:
        self.subwords()
        return np.frombuffer(b"".join(map(self._ids_of.__getitem__, pieces(checked(text)))), np.int32)

    def _take(self, content: bytes, source: str) -> None:
        subwords = _parsed(content, source)
        alphabet = ESCAPE_CHARACTERS.union(*subwords)
        if missing := sorted(alphabet.difference(subwords)):
            raise DataError(
                f"there is no subword for the single character {missing[0]!r}, and Tensor2Tensor writes one for each "
                "character: the file is cut, or it is no vocabulary. Copy it again.",
                file=source,
            )
        for line, (found, reserved) in enumerate(zip(subwords, RESERVED, strict=False), 1):
            if found.removesuffix("_") != reserved:  # otherwise a subword of text would end sequences
                raise DataError(
                    f"{found!r} is in the place of Tensor2Tensor's {reserved!r}: the file is cut, or it is no vocabulary. "
                    "Copy it again.",
                    file=source,
                    line=line,
                )
        numbers = {subword: number for number, subword in enumerate(subwords)}
        self._content, self._subwords, self._ids_of = content, subwords, _Ids(numbers, alphabet)


class _Ids(dict[str, bytes]):
    """A cache of the ids of pieces, as the bytes of int32 arrays. Encodes a piece when it is first looked up."""

    def __init__(self, numbers: Mapping[str, int], alphabet: frozenset[str]) -> None:
        super().__init__()
        self._numbers, self._alphabet = numbers, alphabet
        self._longest = max(map(len, numbers), default=0)

    def __missing__(self, piece: str) -> bytes:
        parts = longest_parts(escape(token_of(piece), self._alphabet), self._numbers, self._longest)
        found = np.array([self._numbers[part] for part in parts], np.int32).tobytes()
        if len(self) >= REMEMBERED:
            self.clear()
        self[piece] = found
        return found


def _content(path: str) -> bytes:
    file = Path(path).expanduser()
    if file.exists():
        require_regular(file)
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{path!r} cannot be read as a vocabulary: {error.strerror}.") from error


def _parsed(content: bytes, source: str) -> list[str]:
    """Parses a file with one subword per line, in quotes."""
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            "not UTF-8: the file is cut, or it is no vocabulary. Copy it again.", file=source, line=line
        ) from None
    if lines.pop() or not lines:
        cut = len(lines) + 1
        raise DataError("this line has no end: the file is cut. Copy it again.", file=source, line=cut)
    subwords: dict[str, int] = {}
    for number, subword in enumerate((_unquoted(text.strip()) for text in lines), 1):
        if not subword or subword in subwords:
            wrong = f"{subword!r} is on line {subwords[subword]} too" if subword else "a subword is empty"
            raise DataError(f"{wrong}, so this is no vocabulary of Tensor2Tensor.", file=source, line=number)
        subwords[subword] = number
    return list(subwords)


def _unquoted(line: str) -> str:
    quoted = len(line) > 1 and line[0] == line[-1] and line[0] in "'\""
    return line[1:-1] if quoted else line
