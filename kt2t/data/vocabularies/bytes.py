"""A vocabulary of UTF-8 bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kt2t.data.vocabularies.unicode_text import checked
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.registry import register

OFFSET = 2
BYTES = 256


@register
class Bytes(Vocabulary):
    """Encodes text as its UTF-8 bytes: byte b is id b + 2. Any text, no training, 258 ids.

    Decoding replaces invalid UTF-8 by U+FFFD.

    Shapes:
        text of n bytes → n ids

    Source: Tensor2Tensor's ByteTextEncoder, with the same two reserved ids before the bytes.
    """

    @property
    def size(self) -> int:
        return OFFSET + BYTES

    def encode(self, text: str) -> list[int]:
        return byte_ids(text)

    def encode_all(self, texts: Sequence[str], threads: int | None = None) -> list[np.ndarray]:
        return [np.frombuffer(checked(text).encode(), np.uint8).astype(np.int32) + OFFSET for text in texts]

    def decode_ids(self, ids: list[int]) -> str:
        return text_of_bytes(ids)


def byte_ids(text: str) -> list[int]:
    """Encodes the UTF-8 bytes of a text as the ids 2 to 257."""
    return [byte + OFFSET for byte in checked(text).encode()]


def text_of_bytes(ids: Iterable[int]) -> str:
    """Decodes ids 2 to 257 as UTF-8 bytes; invalid UTF-8 becomes U+FFFD."""
    return bytes(number - OFFSET for number in ids).decode(errors="replace")
