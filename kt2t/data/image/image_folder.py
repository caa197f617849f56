"""Your own pictures, without code: a folder for each class."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kt2t.data.image.augmentation import augmented, centre_box, resized
from kt2t.data.problem import Example, Problem
from kt2t.data.sources.contents import contents_of, names_in, place_of
from kt2t.data.sources.pictures import check_picture, decode_picture, labelled_pictures, picture_facts
from kt2t.data.vocabularies.classes import Classes
from kt2t.errors import DataError
from kt2t.features import Encoded, Feature, Image, Label
from kt2t.options import positive
from kt2t.registry import register

SPLITS = ("train", "validation", "test")

logger = logging.getLogger("kt2t")


@register
class ImageFolder(Problem):
    """Pictures of any size and their classes, from a folder or a tar archive.

    If `path` has a folder `train`, this folder and `validation` and `test` beside it, if they exist, hold the splits.
    Otherwise all pictures are for training, and some of them are held out for validation.

    Records hold the files as they are. Whenever one is read it is decoded and cut to `height` × `width`: in training a
    random part of it, mirrored half of the time; in evaluation the centre. What is random follows from the run's seed, the
    epoch and the number of the record, so every thread, worker and restart draws the same.

    Args:
        path: A folder, or a tar archive, plain or compressed.
        height: Height in pixels of the pictures that the model reads.
        width: Their width in pixels.
        channels: 3 for colours, 1 for grey.
        class_from: `folder`: a picture's class is the folder below the split's. `name`: its file's name up to the first
            `_`, as in `n01440764_tench.JPEG`.
        min_area: Minimum area of the random part in training, as a share of the picture's area. With 1 the part is as large as
            its shape allows.
        flip: Whether training mirrors pictures left to right; not for letters and digits.
        centre: In evaluation, height and width of the part cut from the centre, as a share of the largest part of this shape.
        skip: How many damaged pictures may be left out of each split; they are logged and counted in the manifest. One
            more is an error.
        loss: See `Problem`.

    Raises:
        ValueError: A number is out of range.

    Source: Szegedy et al. 2015, section 6, for training; Krizhevsky et al. 2012 for the centre.
    """

    training_options = Problem.training_options | {"height", "width", "channels", "min_area", "flip", "centre"}

    def __init__(
        self,
        path: str,
        height: int = 224,
        width: int = 224,
        channels: Literal[1, 3] = 3,
        class_from: Literal["folder", "name"] = "folder",
        min_area: float = 0.08,
        flip: bool = True,
        centre: float = 0.875,
        skip: int = 0,
        loss: Any = None,
    ) -> None:
        super().__init__(loss=loss)
        for name, share in (("min_area", min_area), ("centre", centre)):
            if not 0 < share <= 1:
                raise ValueError(f"{name}: {share} is not a share above 0 and up to 1.")
        if skip < 0:
            raise ValueError(f"skip: {skip} is negative.")
        self.path = path
        self.size = (positive("height", height), positive("width", width))
        self.channels = channels
        self.class_from = class_from
        self.min_area = min_area
        self.flip = flip
        self.centre = centre
        self.skip = skip
        self._classes = Classes()
        self._said = False
        self._listed: dict[str, tuple[list[tuple[str, str]], list[str]]] = {}

    def splits(self) -> tuple[str, ...]:
        return tuple(self._split_folders())

    def source_files(self) -> list[Path]:
        root = self._root()
        return [root / split for split in self._split_folders()] if (root / "train").is_dir() else [root]

    def vocabularies(self) -> dict[str, Any]:
        return {"targets": self._classes}

    def train_vocabularies(self, examples: Iterable[Example]) -> None:
        if not self._classes.trained:
            self._classes.train(self._pictures("train")[1])

    def features(self) -> dict[str, Feature]:
        if not self._classes.trained and not self.find_prepared():
            raise DataError(
                f"{type(self).__name__}: its classes are not known yet. "
                "Call its prepare() first, or run: kt2t prepare RECIPE."
            )
        return {"inputs": Image(*self.size, self.channels), "targets": Label(self._classes.size)}

    def expected_features(self) -> dict[str, Feature]:
        classes = self._classes.size if self._classes.trained else len(self._pictures("train")[1])
        return {"inputs": Image(*self.size, self.channels), "targets": Label(classes)}

    def stored(self) -> dict[str, Feature]:
        return {"inputs": Encoded(), "targets": self.features()["targets"]}

    def examples(self, split: str) -> Iterator[Example]:
        pictures, classes = self._pictures(split)
        if self._classes.trained and (unknown := sorted(set(classes) - set(self._classes.names))):
            raise DataError(
                f"'{self._root()}' has pictures of the class {unknown[0]!r} in {split}, which training does not have. "
                "Add some to the training pictures, or move them away.",
                path="problem.path",
            )
        class_of = dict(pictures)
        for name, contents in contents_of(self._root(), set(class_of)):
            yield {"inputs": contents, "targets": class_of[name]}

    def encode(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        check_picture(example["inputs"])
        encoded = {"inputs": np.frombuffer(example["inputs"], np.uint8)}
        if "targets" in example:
            encoded["targets"] = np.asarray(self._classes.number(example["targets"]), np.int32)
        return encoded

    def counted(self, examples: Sequence[Mapping[str, Any]], encoded: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for example in examples:
            facts = picture_facts(example["inputs"])
            counts[f"{facts.format} {facts.mode}"] += 1
            counts["named as another format"] += facts.is_misnamed
            if facts.is_misnamed and not self._said:
                self._said = True
                logger.warning(
                    "%s: '%s' is a %s and is read as one; the manifest counts such pictures",
                    type(self).__name__,
                    place_of(example["inputs"], "a picture"),
                    facts.format,
                )
        return dict(counts)

    def transform(self, split: str, example: dict[str, np.ndarray], draw: Any) -> dict[str, np.ndarray]:
        pixels = decode_picture(example["inputs"].tobytes(), self.channels)
        if draw is not None:
            cut = augmented(pixels, self.size, draw.generator(), (self.min_area, 1.0), self.flip)
        else:
            height, width = self.size
            cut = resized(pixels, self.size, centre_box(pixels.shape[:2], width / height, self.centre))  # type: ignore[arg-type]
        return {**example, "inputs": cut}

    def _root(self) -> Path:
        root = Path(self.path).expanduser()
        if not root.exists():
            raise DataError(
                f"'{root}' does not exist. It should hold a folder of pictures for each class.", path="problem.path"
            )
        return root

    def _split_folders(self) -> dict[str, str]:
        """What the names of each split's files begin with: `train/`, or nothing where all files are for training."""
        root = self._root()
        if root.is_dir():
            tops = {path.name for path in root.iterdir() if path.is_dir()}
        else:
            tops = {name.partition("/")[0] for name in names_in(root)}
        return {split: f"{split}/" for split in SPLITS if split in tops} if "train" in tops else {"train": ""}

    def _pictures(self, split: str) -> tuple[list[tuple[str, str]], list[str]]:
        """The pictures of a split with their classes, and the classes; listed once."""
        if split not in self._listed:
            self._listed[split] = labelled_pictures(self._root(), self.class_from, self._split_folders()[split])
        return self._listed[split]
