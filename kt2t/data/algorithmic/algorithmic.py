"""Problems of rows of symbols whose answers are computed: how their examples are drawn, split and encoded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kt2t.data.blocks import BLOCK, chance_of, first_kept, from_blocks, is_in_split
from kt2t.data.problem import Problem
from kt2t.data.vocabularies.symbols import Symbols
from kt2t.errors import DataError
from kt2t.features import END, Feature, Text

SMALLEST_SPLIT_SPACE = 1000
MOST_SYMBOLS = 10_000_000  # far more than a model has room for, and still few enough for a table of them


class Algorithmic(Problem):
    """Base of the computed problems: a row of symbols in, the row that an algorithm makes of it out.

    A subclass has `answer`, and `draw` where its inputs are not uniformly random rows.

    `train` and `validation` have inputs of 1 to `max_length` symbols and share none: the input's hash decides which of
    the two may have it (one in ten is for validation). Only where there are fewer than 1,000 possible inputs do they
    overlap. `long` has inputs of `max_length` + 1 to `evaluation_length` symbols and is there if that is the larger.

    An example depends on (`seed`, split, its number) alone: blocks of 1,000 each have a random generator of their own.

    Args:
        symbols: How many different symbols inputs are drawn from.
        max_length: Of the inputs in `train` and `validation`, in symbols.
        evaluation_length: Of the inputs in `long`, in symbols.
        train_examples: How many examples `train` has.
        validation_examples: How many `validation` and `long` have each.
        seed: Decides which.
        loss: The loss, or the node that describes it; cross-entropy without one.

    Raises:
        ValueError: A number is not positive, or there are too many symbols.
    """

    # Here `max_length` decides what is drawn, so it belongs to the records.
    training_options = frozenset({"loss"})

    def __init__(
        self,
        symbols: int = 10,
        max_length: int = 40,
        evaluation_length: int = 400,
        train_examples: int = 100_000,
        validation_examples: int = 10_000,
        seed: int = 0,
        loss: Any = None,
    ) -> None:
        sizes = {
            "symbols": symbols,
            "max_length": max_length,
            "evaluation_length": evaluation_length,
            "train_examples": train_examples,
            "validation_examples": validation_examples,
        }
        for option, value in sizes.items():
            if value < 1:
                raise ValueError(f"{option}: {value} is not positive.")
        if symbols > MOST_SYMBOLS:
            raise ValueError(f"symbols: {symbols} are more than {MOST_SYMBOLS:,}. Take fewer.")
        if seed < 0:
            raise ValueError(f"seed: {seed} is negative.")
        # The length of examples is decided when they are drawn; nothing is to be dropped or cut afterwards.
        super().__init__(loss=loss, max_length=None)
        self.symbols = symbols
        self.longest_input = max_length
        self.evaluation_length = evaluation_length
        self.counts = {"train": train_examples, "validation": validation_examples, "long": validation_examples}
        self.seed = seed
        self.vocabulary = Symbols(self.vocabulary_symbols())

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        """The target of one input; `chance` is for problems whose answer is not decided by the input."""
        raise NotImplementedError

    def draw(self, chance: np.random.Generator, count: int, shortest: int, longest: int) -> list[np.ndarray]:
        """`count` random inputs of `shortest` to `longest` symbols, int64."""
        lengths = chance.integers(shortest, longest + 1, count)
        rows = chance.integers(0, self.symbols, (count, longest))
        return [row[:length] for row, length in zip(rows, lengths, strict=True)]

    def vocabulary_symbols(self) -> int:
        """How many symbols inputs and targets have between them."""
        return self.symbols

    def possible_inputs(self) -> int:
        """How many different inputs of up to `max_length` symbols there are, or any number that is large enough."""
        lengths = range(1, min(self.longest_input, 10) + 1)
        return sum(self.symbols**length for length in lengths)

    def splits(self) -> tuple[str, ...]:
        return (
            ("train", "validation", "long") if self.evaluation_length > self.longest_input else ("train", "validation")
        )

    def examples(self, split: str, start: int = 0, stop: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        """The examples of a split from number `start` to before `stop`, whatever came before them.

        Raises:
            DataError: There is no such split.
        """
        if split not in self.splits():
            raise DataError(f"{type(self).__name__} has no split {split!r}. There are {', '.join(self.splits())}.")
        stop = self.counts[split] if stop is None else min(stop, self.counts[split])
        yield from from_blocks(lambda number: self._block(split, number), start, stop)

    def encode(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {field: np.array([*self.vocabulary.encode(value), END], np.int32) for field, value in example.items()}

    def features(self) -> dict[str, Feature]:
        text = Text(self.vocabulary.size)
        return {"inputs": text, "targets": text}

    def vocabularies(self) -> dict[str, Any]:
        return {"inputs": self.vocabulary, "targets": self.vocabulary}

    def _block(self, split: str, number: int) -> list[dict[str, np.ndarray]]:
        chance = chance_of(self.seed, split, number)
        lengths = (self.longest_input + 1, self.evaluation_length) if split == "long" else (1, self.longest_input)
        inputs = first_kept(lambda: self.draw(chance, BLOCK, *lengths), lambda row: self._belongs(row, split))
        return [{"inputs": row, "targets": self.answer(row, chance)} for row in inputs]

    def _belongs(self, inputs: np.ndarray, split: str) -> bool:
        if split == "long" or self.possible_inputs() < SMALLEST_SPLIT_SPACE:
            return True
        return is_in_split(zlib.crc32(inputs.astype("<i4").tobytes()), split)
