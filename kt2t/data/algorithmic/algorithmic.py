"""The base class of problems that compute their examples: draws, splits and encodes sequences of symbols."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kt2t.data.blocks import BLOCK, chance_of, first_kept, from_blocks, is_in_split
from kt2t.data.curricula.length_curriculum import LengthCurriculum
from kt2t.data.problem import Problem
from kt2t.data.vocabularies.symbols import Symbols
from kt2t.errors import DataError
from kt2t.features import END, Feature, Text
from kt2t.registry import build

SMALLEST_SPLIT_SPACE = 1000
MOST_SYMBOLS = 10_000_000  # more than any model has room for


class Algorithmic(Problem):
    """Base class of computed problems: the target is computed from a random sequence of symbols.

    A subclass has `answer`, and also `draw` if its inputs are not uniformly random sequences.

    `train` and `validation` have inputs of 1 to `max_length` symbols and share none: a hash of the input decides which
    split it belongs to (one in ten goes to validation). They overlap only if there are fewer than 1,000 possible inputs.
    `long` has inputs of `max_length` + 1 to `evaluation_length` symbols; it exists if `evaluation_length` is larger.

    An example depends only on (`seed`, split, number of the example): each block of 1,000 has its own random generator.

    Args:
        symbols: Number of different symbols in inputs.
        max_length: Maximum length of inputs in `train` and `validation`, in symbols.
        evaluation_length: Maximum length of inputs in `long`, in symbols.
        train_examples: Number of examples in `train`.
        validation_examples: Number of examples in `validation`, and in `long`.
        seed: Seed for drawing the examples.
        loss: The loss, or its node. Default: cross-entropy.
        curriculum: A `LengthCurriculum`, or its node. Default: all lengths from the start.

    Raises:
        ValueError: A number is not positive, there are too many symbols, or the curriculum starts with a length that `train`
            does not have.
    """

    # Here `max_length` decides which examples are drawn, so it is no training option.
    training_options = frozenset({"loss", "curriculum"})
    shortest_input = 1  # symbols

    def __init__(
        self,
        symbols: int = 10,
        max_length: int = 40,
        evaluation_length: int = 400,
        train_examples: int = 100_000,
        validation_examples: int = 10_000,
        seed: int = 0,
        loss: Any = None,
        curriculum: Any = None,
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
            raise ValueError(f"symbols: {symbols} are more than {MOST_SYMBOLS:,}. Use fewer.")
        if seed < 0:
            raise ValueError(f"seed: {seed} is negative.")
        self.curriculum = self._checked(curriculum, max_length)
        # Examples are drawn with the right length, so none is dropped or cut later.
        super().__init__(loss=loss, max_length=None)
        self.symbols = symbols
        self.longest_input = max_length
        self.evaluation_length = evaluation_length
        self.counts = {"train": train_examples, "validation": validation_examples, "long": validation_examples}
        self.seed = seed
        self.vocabulary = Symbols(self.vocabulary_symbols())

    def answer(self, inputs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        """Computes the target of an input. `chance` is for problems whose target is partly random."""
        raise NotImplementedError

    def draw(self, chance: np.random.Generator, count: int, shortest: int, longest: int) -> list[np.ndarray]:
        """Draws `count` random inputs of `shortest` to `longest` symbols, int64."""
        lengths = chance.integers(shortest, longest + 1, count)
        rows = chance.integers(0, self.symbols, (count, longest))
        return [row[:length] for row, length in zip(rows, lengths, strict=True)]

    def vocabulary_symbols(self) -> int:
        """Number of different symbols in inputs and targets together."""
        return self.symbols

    def possible_inputs(self) -> int:
        """Number of different inputs of up to `max_length` symbols, or some number of at least 1,000 if there are more."""
        lengths = range(1, min(self.longest_input, 10) + 1)
        return sum(self.symbols**length for length in lengths)

    def splits(self) -> tuple[str, ...]:
        return (
            ("train", "validation", "long") if self.evaluation_length > self.longest_input else ("train", "validation")
        )

    def examples(self, split: str, start: int = 0, stop: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yields the examples `start` to `stop` - 1 of a split. They do not depend on earlier examples.

        Raises:
            DataError: The split does not exist.
        """
        if split not in self.splits():
            raise DataError(f"{type(self).__name__} has no split {split!r}. There are {', '.join(self.splits())}.")
        stop = self.counts[split] if stop is None else min(stop, self.counts[split])
        yield from from_blocks(lambda number: self._block(split, number), start, stop)

    def epoch_limits(self, epoch: int) -> dict[str, int] | None:
        longest = self.curriculum and self.curriculum.longest(epoch, self.longest_input)
        return None if longest is None else {"inputs": longest + 1}  # and the end

    def encode(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {field: np.array([*self.vocabulary.encode(value), END], np.int32) for field, value in example.items()}

    def features(self) -> dict[str, Feature]:
        text = Text(self.vocabulary.size)
        return {"inputs": text, "targets": text}

    def vocabularies(self) -> dict[str, Any]:
        return {"inputs": self.vocabulary, "targets": self.vocabulary}

    def _checked(self, curriculum: Any, max_length: int) -> Any:
        curriculum = build(curriculum, "curriculum")
        if curriculum is None:
            return None
        if not isinstance(curriculum, LengthCurriculum):
            raise ValueError(
                f"curriculum: {curriculum!r} is none. Use {{type: LengthCurriculum, start: 5, epochs: 4}}."
            )
        if not self.shortest_input <= curriculum.start <= max_length:
            raise ValueError(
                f"curriculum: it starts with inputs of {curriculum.start} symbols, and there are inputs of "
                f"{self.shortest_input} to {max_length} (max_length). Choose a start among these."
            )
        return curriculum

    def _block(self, split: str, number: int) -> list[dict[str, np.ndarray]]:
        chance = chance_of(self.seed, split, number)
        lengths = (self.longest_input + 1, self.evaluation_length) if split == "long" else (1, self.longest_input)
        inputs = first_kept(lambda: self.draw(chance, BLOCK, *lengths), lambda row: self._belongs(row, split))
        return [{"inputs": row, "targets": self.answer(row, chance)} for row in inputs]

    def _belongs(self, inputs: np.ndarray, split: str) -> bool:
        if split == "long" or self.possible_inputs() < SMALLEST_SPLIT_SPACE:
            return True
        return is_in_split(zlib.crc32(inputs.astype("<i4").tobytes()), split)
