"""MNIST: 70,000 handwritten digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.problem import Example, Problem
from kt2t.data.sources.idx import pictures_and_labels
from kt2t.data.vocabularies.classes import Classes
from kt2t.errors import DataError
from kt2t.features import Feature, Image, Label
from kt2t.options import positive
from kt2t.registry import register

STEMS = {"train": "train", "validation": "train", "test": "t10k"}
SIDE = 28


@register
class MNIST(Problem):
    """Pictures of handwritten digits, 28 × 28 in shades of grey, from MNIST's own four idx files, plain or gzip.

    Fashion-MNIST and KMNIST have files of the same form; `names` then says what the classes are called. The splits are
    `train` and `validation` (the first and the last of the 60,000 training pictures) and `test` (10,000).

    Args:
        path: The folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
            `t10k-labels-idx1-ubyte`, each with or without `.gz`.
        names: The names of the classes in the order of their labels; the digits by default.
        validation_examples: How many of the training pictures, the last ones, are for validation.
        loss: See `Problem`.

    Raises:
        ValueError: A name is empty or stands there twice, or `validation_examples` is not positive.

    Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits.
    """

    def __init__(
        self, path: str, names: list[str] | None = None, validation_examples: int = 5000, loss: Any = None
    ) -> None:
        super().__init__(loss=loss)
        self.validation_examples = positive("validation_examples", validation_examples)
        self.path = path
        self._classes = Classes(names or [str(digit) for digit in range(10)])

    def splits(self) -> tuple[str, ...]:
        return ("train", "validation", "test")

    def source_files(self) -> list[Path]:
        return [file for split in ("train", "test") for file in self._files(split)]

    def vocabularies(self) -> dict[str, Any]:
        return {"targets": self._classes}

    def features(self) -> dict[str, Feature]:
        return {"inputs": Image(SIDE, SIDE, 1), "targets": Label(self._classes.size)}

    def examples(self, split: str) -> Iterator[Example]:
        pictures, labels = self._files(split)
        images, numbers = pictures_and_labels(pictures, labels, self._classes.size)
        if images.shape[1:] != (SIDE, SIDE):
            height, width = images.shape[1:]
            raise DataError(f"'{pictures}' holds pictures of {height} × {width}; MNIST's are {SIDE} × {SIDE}.")
        part = self._part(split, len(images))
        for image, number in zip(images[part, ..., np.newaxis], numbers[part].tolist(), strict=True):
            yield {"inputs": image, "targets": self._classes.names[number]}

    def encode(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        encoded = {"inputs": np.asarray(example["inputs"], np.uint8)}
        if "targets" in example:
            encoded["targets"] = np.asarray(self._classes.number(example["targets"]), np.int32)
        return encoded

    def _part(self, split: str, count: int) -> slice:
        """Which pictures of a file belong to a split."""
        if split == "test":
            return slice(None)
        if self.validation_examples >= count:
            raise DataError(
                f"{self.validation_examples:,} of {count:,} training pictures are for validation: none is left to train on.",
                path="problem.validation_examples",
            )
        return slice(-self.validation_examples) if split == "train" else slice(-self.validation_examples, None)

    def _files(self, split: str) -> tuple[Path, Path]:
        folder = Path(str(self.path)).expanduser()
        wanted = [f"{STEMS[split]}-images-idx3-ubyte", f"{STEMS[split]}-labels-idx1-ubyte"]
        found = [
            next((folder / name for name in (stem, f"{stem}.gz") if (folder / name).is_file()), None) for stem in wanted
        ]
        missing = [stem for stem, file in zip(wanted, found, strict=True) if file is None]
        if missing:
            lacks = f"lacks {' and '.join(missing)}" if folder.is_dir() else "does not exist"
            raise DataError(
                f"'{folder}' {lacks}. It should hold the four files of MNIST, train-images-idx3-ubyte(.gz) and so on.",
                path="problem.path",
            )
        pictures, labels = [file for file in found if file is not None]
        return pictures, labels
