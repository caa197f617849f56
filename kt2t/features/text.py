"""Text, as a sequence of token ids."""

from __future__ import annotations

from kt2t.features.feature import Feature
from kt2t.registry import register


@register
class Text(Feature):
    """A field that holds a sequence of token ids: 0 is padding, 1 ends the sequence.

    Shapes:
        (batch, time) int32, with `_segments`

    Args:
        vocabulary_size: The actual number of ids, padding and end included.
        vocabulary: Identifies the vocabulary; fields with the same size and the same identifier can share an embedding.

    Raises:
        ValueError: `vocabulary_size` is below 2.
    """

    shape = (None,)
    is_fed_back = True
    is_packable = True

    def __init__(self, vocabulary_size: int, vocabulary: str | None = None) -> None:
        if vocabulary_size < 2:
            raise ValueError(f"vocabulary_size: {vocabulary_size} leaves no room for padding and end; at least 2.")
        self.vocabulary_size = vocabulary_size
        self.vocabulary = vocabulary

    @property
    def limits(self) -> tuple[int, int]:
        return 1, self.vocabulary_size - 1
