"""Text to be continued: documents cut into windows, for language models."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kt2t.data.draw import Draw
from kt2t.data.language.text_figures import bits_per_byte, word_perplexity
from kt2t.data.language.windows import evaluation_windows, training_windows, window_at
from kt2t.data.problem import Example
from kt2t.data.sources.texts import all_lines, whole_text
from kt2t.data.text_to_text import TextToText
from kt2t.errors import DataError
from kt2t.features import Feature
from kt2t.registry import register

Arrays = dict[str, np.ndarray]


class PromptLength(Feature):
    """Field of a record: how many targets at its start are context, which the model reads and is not scored on."""


@register
class RunningText(TextToText):
    """Base class of problems for language models: cuts text files into windows of `length` tokens. A subclass has `files`.

    Training: the windows of each epoch begin at a different offset, drawn from seed and epoch, so that a token is seen with
    different contexts. Evaluation: a window begins `stride` tokens after the one before it. The tokens that both contain
    are context in the later window, with weight zero. So every token is scored once, with at least `length` - `stride`
    tokens before it; in a document's first window, with all tokens before it. Scores depend on this context, so their
    signatures name it.

    Without validation files, the last part of the training text is held out, a share of its characters: the text is cut in
    two at one place. Of several documents, each belongs to the part in which it begins.

    Shapes:
        targets: up to `length` tokens

    Args:
        path: A file or folder of the subclass's own.
        length: Length of a window, in tokens.
        stride: Distance between the starts of two windows in evaluation, in tokens; half of `length` by default.
        documents: Unit that windows do not cross and that ends with an end id: each of the `files`, or each of the `lines`.
            `one` joins everything to one text without end ids.
        held_out: Share of the training text used for validation if no validation files are named.
        vocabulary: The vocabulary; bytes by default.
        loss: See `Problem`.

    Raises:
        ValueError: An option out of its range.
    """

    # Longer than a window is nothing, and what a window is decides the records.
    training_options = frozenset({"loss"})
    derived_metric_names = ("word_perplexity", "bits_per_byte")

    def __init__(
        self,
        path: str | None = None,
        length: int = 256,
        stride: int | None = None,
        documents: Literal["one", "files", "lines"] = "one",
        held_out: float = 0.1,
        vocabulary: Any = None,
        loss: Any = None,
    ) -> None:
        if length < 2:
            raise ValueError(f"length: {length} leaves nothing to predict from. Take at least 2 tokens.")
        if stride is not None and not 1 <= stride <= length:
            raise ValueError(f"stride: {stride} is not between 1 and the length {length}: tokens would be left out.")
        if documents not in ("one", "files", "lines"):
            raise ValueError(f"documents: {documents!r} is not known. Choose one, files or lines.")
        if not 0 < held_out < 1:
            raise ValueError(f"held_out: {held_out} is no share. Give a number between 0 and 1.")
        super().__init__(path=path, vocabulary=vocabulary, loss=loss)
        self.length = length
        self.stride = stride or max(1, length // 2)
        self.documents = documents
        self.held_out = held_out

    def files(self) -> dict[str, list[Path]]:
        """Returns the text files of each split, in reading order."""
        raise NotImplementedError(f"{type(self).__name__} must define files().")

    def fields(self) -> tuple[str, ...]:
        return ("targets",)

    def splits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("train", "validation", *self.files())))

    def source_files(self) -> list[Path]:
        return list(dict.fromkeys(file for files in self.files().values() for file in files))

    def examples(self, split: str) -> Iterator[Example]:
        files = self.files()
        if split not in self.splits():
            raise DataError(
                f"{split!r} is not a split of {type(self).__name__}. There are: {', '.join(self.splits())}."
            )
        texts = self._texts(files.get(split, files["train"]))
        if "validation" not in files and split in ("train", "validation"):
            texts = self._share(texts, self._texts(files["train"]), split)
        blank = True
        for text in texts:
            blank = blank and not text.strip()
            yield {"targets": text}
        if blank:
            names = ", ".join(f"'{file}'" for file in files.get(split, files["train"])[:3])
            way_out = "Check the files." if split in files else "Name files for validation, or raise held_out."
            raise DataError(
                f"there is no text for {split} in {names}: nothing, or white space alone. {way_out}", path="problem"
            )

    def reject(self, example: Mapping[str, Any]) -> str | None:
        return None if self.documents == "one" else super().reject(example)

    def encode_all(self, examples: Sequence[Mapping[str, Any]]) -> list[Arrays]:
        if self.documents != "one":
            return super().encode_all(examples)
        # Line by line, as the training text is read: `predict` may give several at once.
        lines = [_lines_of(example["targets"]) for example in examples]
        encoded = iter(super().encode_all([{"targets": line} for several in lines for line in several]))
        return [{"targets": np.concatenate([next(encoded)["targets"][:-1] for _ in several])} for several in lines]

    def stored(self) -> dict[str, Feature]:
        return {**self.features(), "prompt_length": PromptLength()}

    def cut(self, split: str, examples: Iterable[Arrays]) -> Iterator[Arrays]:
        rows = (example["targets"] for example in examples)
        texts: Iterable[Iterable[np.ndarray]] = [rows] if self.documents == "one" else ([row] for row in rows)
        for text in texts:
            if split == "train":
                for record in training_windows(text, self.length):
                    yield {"targets": record, "prompt_length": np.array(0, np.int32)}
            else:
                for window, context in evaluation_windows(text, self.length, self.stride):
                    yield {"targets": window, "prompt_length": np.array(context, np.int32)}

    def counted(self, examples: Sequence[Mapping[str, Any]], encoded: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        ends = len(examples) if self.documents == "lines" else 0
        texts = [example["targets"] for example in examples]
        return {
            "tokens": sum(len(example["targets"]) for example in encoded),
            "words": sum(len(text.split()) + text.count("\n") for text in texts) + ends,
            "bytes": sum(len(text.encode()) for text in texts) + ends,
        }

    def planned_lengths(self, split: str, lengths: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {field: np.minimum(sizes, self.length) for field, sizes in lengths.items()}

    def transform(self, split: str, example: Arrays, draw: Draw | None) -> Arrays:
        if split != "train":
            return example
        phase = 0 if draw is None else _chance_of(draw.seed, draw.epoch) % self.length
        return {**example, "targets": window_at(example["targets"], self.length, phase)}

    def metrics(self) -> list[Any]:
        from kt2t.metrics import Perplexity, TokenAccuracy

        return [TokenAccuracy(), Perplexity()]

    def scores(self) -> list[Any]:
        return []

    def derived_metrics(self, split: str, metrics: Mapping[str, float]) -> dict[str, tuple[float, str]]:
        counts = self.prepared.manifest["splits"][split].get("counts")
        perplexity = metrics.get("perplexity", 0.0)
        if not counts or not 0 < perplexity < math.inf:
            return {}
        nats = math.log(perplexity) * counts["tokens"]
        found = {"word_perplexity": (word_perplexity(nats, counts["words"]), self._signature("words", split))}
        if self._vocabularies["targets"].lossless:  # else part of the text is not predicted at all
            found["bits_per_byte"] = (bits_per_byte(nats, counts["bytes"]), self._signature("bytes", split))
        return found

    def decode(self, field: str, value: Any) -> Any:
        text = super().decode(field, value)
        # Of one text each line is encoded for itself, with a space in front that is not the text's own.
        joined = self.documents == "one" and self._vocabularies["targets"].begins_with_space
        return text.replace("\n ", "\n") if joined and isinstance(text, str) else text

    def _signature(self, unit: str, split: str) -> str:
        count = self.prepared.manifest["splits"][split]["counts"][unit]
        context = 0 if split == "train" else self.length - self.stride
        return f"{unit}:{count}|context:{context} to {self.length - 1} tokens|documents:{self.documents}"

    def _texts(self, files: Sequence[Path]) -> Iterator[str]:
        if self.documents == "files":
            return map(whole_text, files)
        texts = all_lines(files)
        return texts if self.documents == "one" else (text[:-1] for text in texts)

    def _share(self, texts: Iterator[str], again: Iterable[str], split: str) -> Iterator[str]:
        """The part of the training text that belongs to a split; `again` are the same texts, to be measured."""
        left = int(sum(map(len, again)) * (1 - self.held_out))
        for text in texts:
            if self.documents != "one":
                if (left > 0) == (split == "train"):
                    yield text
            elif part := text[: max(0, left)] if split == "train" else text[max(0, left) :]:
                yield part
            left -= len(text)


@functools.lru_cache(maxsize=64)
def _chance_of(seed: int, epoch: int) -> int:
    """The random number of an epoch: all windows of an epoch begin at the same phase, so that they touch."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def _lines_of(text: str) -> list[str]:
    """The lines of a text with their line feeds; one empty line of an empty text."""
    *whole, last = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return [*lines, last] if last or not lines else lines
