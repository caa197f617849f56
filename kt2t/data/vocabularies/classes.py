"""Names of classes and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.data.vocabularies.vocabulary import Vocabulary, is_batch, tally
from kt2t.errors import DataError, listed
from kt2t.options import nearest
from kt2t.registry import register

FILE = "classes.txt"


@register
class Classes(Vocabulary):
    """The names of classes in a fixed order, for the fields Label and Tags.

    Class k, counted from 0, has id k in a Label and id k + 1 in Tags, where 0 is padding. Names come in the order given,
    or, after training, in the order of their code points.

    Shapes:
        name → a number from 0 to len(names) - 1; n names → n tag ids from 1 to len(names)

    Args:
        names: The names in the order of their ids, instead of training.

    Raises:
        ValueError: A name is empty, holds a line's end or stands there twice.
    """

    lossless = False

    def __init__(self, names: list[str] | None = None) -> None:
        if names is not None and not names:
            raise ValueError("names: an empty list names no class. Leave it out to train on the data.")
        self._fixed = names is not None
        self._take(list(names or []))

    @property
    def trained(self) -> bool:  # type: ignore[override]
        return bool(self.names)

    @property
    def size(self) -> int:
        """Number of classes."""
        self.require_training()
        return len(self.names)

    def train(self, texts: Iterable[str]) -> None:
        """Learns the names; each text is one name.

        Raises:
            DataError: There are no texts, or a name is empty or holds a line's end.
        """
        if self._fixed:
            return
        try:
            self._take(sorted(tally(texts, lambda name: [name], "Classes")))
        except ValueError as error:
            raise DataError(str(error)) from error

    def number(self, name: str) -> int:
        """Returns the number of a class, from 0: the id of a Label.

        Raises:
            DataError: No class has this name.
        """
        self.require_training()
        if name not in self._numbers:
            known = nearest(name, self.names) or f"There are {len(self.names)}: {listed(self.names, ', ')}."
            raise DataError(f"{name!r} is none of the classes of the training data. {known}")
        return self._numbers[name]

    def has_all(self, names: Iterable[str]) -> bool:
        """Returns whether every one of these names is a class."""
        return all(name in self._numbers for name in names)

    def tag_ids(self, names: Sequence[str]) -> np.ndarray:
        """Returns the ids of Tags with these names.

        Shapes:
            n names → (n,) int32 from 1

        Raises:
            DataError: No class has one of the names.
        """
        return np.array([self.number(name) + 1 for name in names], np.int32)

    def tag_names(self, ids: Iterable[int]) -> list[str]:
        """Returns the names of Tags with these ids; padding is skipped."""
        self.require_training()
        return [self.names[int(one) - 1] for one in ids if one]

    def encode(self, text: str) -> list[int]:
        """Encodes names, separated by spaces, as tag ids."""
        return self.tag_ids(text.split()).tolist()

    def decode(self, ids: Any) -> Any:
        """Decodes tag ids to names, separated by spaces; tags have no end id. A batch gives a list."""
        if is_batch(ids):
            return [self.decode(row) for row in ids]
        return " ".join(self.tag_names(ids))

    def decode_ids(self, ids: list[int]) -> str:
        return self.decode(ids)

    def contents(self) -> dict[str, bytes]:
        return {FILE: "\n".join(self.names).encode()}

    def restore(self, contents: Mapping[str, bytes]) -> None:
        self._take(contents[FILE].decode().split("\n"))

    def _take(self, names: list[str]) -> None:
        for name in names:
            if not name.strip() or "\n" in name:
                raise ValueError(f"names: {name!r} cannot name a class. A name is not empty and is one line.")
        self._numbers = {name: number for number, name in enumerate(names)}
        if len(self._numbers) < len(names):
            twice = next(name for number, name in enumerate(names) if self._numbers[name] != number)
            raise ValueError(f"names: {twice!r} stands there twice. Each class has one id.")
        self.names = names
