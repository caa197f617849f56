"""The base class of problems that turn text into text: vocabularies, encoding and features of both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.data.problem import Example, Problem, first_empty
from kt2t.data.vocabularies.vocabulary import vocabulary_of
from kt2t.errors import DataError
from kt2t.features import Feature, Label, Text
from kt2t.registry import register

TARGET_SPACES = 32  # as in Tensor2Tensor


@register
class TextToText(Problem):
    """A problem that turns text into other text; a subclass defines `examples`.

    A raw example is `{"inputs": text, "targets": text}`. A problem of plain text, for a language model, gives
    `{"targets": text}` and overrides `fields` to return `("targets",)`. Other keys are ignored.

    Args:
        path: A file or folder, for the subclass.
        vocabulary: The vocabulary of both sides; bytes by default.
        source_vocabulary: The vocabulary of the inputs, if each side has its own.
        target_vocabulary: The vocabulary of the targets, if each side has its own.
        loss: See `Problem`.
        max_length: See `Problem`.
        target_space: A number from 0 to 31 that says what kind of text the targets are, the same in every example. A model
            that reads `target_space` learns a vector for it.

    Raises:
        ValueError: A vocabulary for both sides together with one for a single side, or only one side's; `target_space` is
            out of range.
    """

    def __init__(
        self,
        path: str | None = None,
        vocabulary: Any = None,
        source_vocabulary: Any = None,
        target_vocabulary: Any = None,
        loss: Any = None,
        max_length: int | dict[str, int] | None = None,
        target_space: int | None = None,
    ) -> None:
        super().__init__(loss=loss, max_length=max_length)
        if target_space is not None and not 0 <= target_space < TARGET_SPACES:
            raise ValueError(f"target_space: {target_space} is not from 0 to {TARGET_SPACES - 1}.")
        self.target_space = target_space
        self.path = path
        self._vocabularies = _per_field(vocabulary, source_vocabulary, target_vocabulary)

    def splits(self) -> tuple[str, ...]:
        return ("train", "validation")

    def vocabularies(self) -> dict[str, Any]:
        return {field: self._vocabularies[field] for field in self.fields()}

    def train_vocabularies(self, examples: Iterable[Example]) -> None:
        fields: dict[int, list[str]] = {}
        for field, vocabulary in self.vocabularies().items():
            if not vocabulary.trained:
                fields.setdefault(id(vocabulary), []).append(field)
        for of_one in fields.values():
            texts = (example[field] for example in examples for field in of_one if field in example)
            self._vocabularies[of_one[0]].train(texts)

    def reject(self, example: Mapping[str, Any]) -> str | None:
        return first_empty(example, self.fields())

    def encode(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self.encode_all([example])[0]

    def encode_all(self, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, np.ndarray]]:
        encoded: list[dict[str, np.ndarray]] = [{} for _ in examples]
        for field, vocabulary in self.vocabularies().items():
            rows = [number for number, example in enumerate(examples) if field in example]
            # One thread here, because `prepare` calls this on all cores.
            ids = vocabulary.encode_ended([examples[number][field] for number in rows], threads=1)
            for number, of_one in zip(rows, ids, strict=True):
                encoded[number][field] = of_one
        if self.target_space is not None:
            for example in encoded:
                example["target_space"] = np.asarray(self.target_space, np.int32)
        return encoded

    def features(self) -> dict[str, Feature]:
        if not all(vocabulary.trained for vocabulary in self.vocabularies().values()) and not self.find_prepared():
            raise DataError(
                f"{type(self).__name__}: its vocabulary is not trained yet. "
                "Call its prepare() first, or run: kt2t prepare RECIPE."
            )
        return self._features_with(lambda vocabulary: vocabulary.size)

    def expected_features(self) -> dict[str, Feature]:
        return self._features_with(lambda vocabulary: vocabulary.expected_size)

    def _features_with(self, size: Callable[[Any], int]) -> dict[str, Feature]:
        shared = self._vocabularies["inputs"] is self._vocabularies["targets"]
        words = {"inputs": None if shared else "source", "targets": None if shared else "target"}
        features: dict[str, Feature] = {
            field: Text(size(vocabulary), vocabulary=words[field]) for field, vocabulary in self.vocabularies().items()
        }
        return features if self.target_space is None else {**features, "target_space": Label(TARGET_SPACES)}

    def fields(self) -> tuple[str, ...]:
        """The text fields of an example: both, or only `("targets",)`."""
        return ("inputs", "targets")


def _per_field(shared: Any, source: Any, target: Any) -> dict[str, Any]:
    if shared is not None and (source is not None or target is not None):
        raise ValueError(
            "vocabulary: given for both sides together with one for a single side. "
            "Give either vocabulary, or source_vocabulary and target_vocabulary."
        )
    if (source is None) != (target is None):
        missing = "target_vocabulary" if target is None else "source_vocabulary"
        raise ValueError(f"{missing}: missing. Each side needs its own, or both share `vocabulary`.")
    if source is not None:
        return {
            "inputs": vocabulary_of(source, "source_vocabulary"),
            "targets": vocabulary_of(target, "target_vocabulary"),
        }
    if shared is None:
        from kt2t.data.vocabularies import Bytes

        shared = Bytes()
    shared = vocabulary_of(shared)
    return {"inputs": shared, "targets": shared}
