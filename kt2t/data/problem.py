"""What a problem is: raw examples, the features they become, and how a prediction is judged and shown."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kt2t.data.answers import Answers
from kt2t.data.shapes import SHAPES
from kt2t.errors import DataError
from kt2t.features import Feature
from kt2t.registry import register

if TYPE_CHECKING:
    from kt2t.data.prepared import Prepared
    from kt2t.data.reader import Batches

Example = dict[str, Any]
Progress = Callable[[int, "int | None", str], None]

logger = logging.getLogger("kt2t")


def first_empty(example: Mapping[str, Any], fields: Iterable[str]) -> str | None:
    """`empty` and the name of the first of these fields that is a text of nothing but spaces, if there is one."""
    for field in fields:
        value = example.get(field)
        if isinstance(value, str) and (not value or value.isspace()):
            return f"empty {field}"
    return None


@register
class Problem(Answers):
    """Something to be learnt: examples in, batches and scores out.

    A problem of your own says `splits`, `examples`, `encode` and `features`; the rest follows. A subclass with options of
    its own names `loss` and `max_length` among them and hands them to `super().__init__`.

    Args:
        loss: The loss, or the node that describes it; without one what the kind of target asks for, such as cross-entropy.
        max_length: In tokens, the end included. Longer examples are dropped in training and cut in evaluation.

    Raises:
        ValueError: `max_length` is not positive.
    """

    # Options that change how records are used, not what stands in them.
    training_options = frozenset({"loss", "max_length"})

    def __init__(self, loss: Any = None, max_length: int | None = None) -> None:
        if max_length is not None and max_length < 1:
            raise ValueError(f"max_length: {max_length} is not positive.")
        self.max_length = max_length
        self._loss = loss
        self._prepared: Prepared | None = None
        self._given: dict[str, str] | None = None

    def splits(self) -> tuple[str, ...]:
        """The splits that `examples` can give. Without `validation`, some of `train` is held out for it."""
        return ("train", "validation")

    def examples(self, split: str) -> Iterable[Example]:
        """The raw examples of a split, each a mapping of field to text, whole number or sequence of them."""
        raise NotImplementedError(f"{type(self).__name__} must define examples(split).")

    def encode(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """One raw example as arrays, field by field as `features` says, ends of sequences included."""
        raise NotImplementedError(f"{type(self).__name__} must define encode(example).")

    def features(self) -> dict[str, Feature]:
        """What each field is."""
        raise NotImplementedError(f"{type(self).__name__} must define features().")

    def expected_features(self) -> dict[str, Feature]:
        """What each field will be: `features`, with the vocabulary sizes that were asked for where none is trained yet."""
        return self.features()

    def encode_all(self, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, np.ndarray]]:
        """Many raw examples as arrays; worth overriding where many at once are cheaper."""
        return [self.encode(example) for example in examples]

    def stored(self) -> dict[str, Feature]:
        """What stands in a record: the features, and what else `seen` needs.

        A field `given`, one whole number, says how many targets at the start of a row are there to be read only: their
        weight is zero.
        """
        return self.features()

    def cut(self, split: str, examples: Iterable[dict[str, np.ndarray]]) -> Iterable[dict[str, np.ndarray]]:
        """Encoded examples as records, in their order; one each unless a problem cuts or joins them."""
        return examples

    def counted(self, examples: Sequence[Mapping[str, Any]], encoded: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """What to count over the raw and the encoded examples of a split; the sums stand in its manifest."""
        return {}

    def planned_lengths(self, split: str, lengths: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The lengths of the records of a split as `seen` leaves them."""
        return lengths

    def seen(
        self, split: str, examples: list[dict[str, np.ndarray]], seed: int, epoch: int | None
    ) -> list[dict[str, np.ndarray]]:
        """What an epoch sees of records, a function of these arguments alone; `epoch` is None where nothing is random."""
        return examples

    def reject(self, example: Mapping[str, Any]) -> str | None:
        """Why a raw example is left out (`empty inputs`), or None to keep it."""
        return first_empty(example, example)

    def source_files(self) -> list[Path]:
        """The files that the examples come from: those of the options `path` and `…_files`."""
        from kt2t.data.location import option_files

        return option_files(self)

    def vocabularies(self) -> dict[str, Any]:
        """The vocabulary of each field that has one."""
        return {}

    def train_vocabularies(self, examples: Iterable[Example]) -> None:
        """Trains the vocabularies that are not, from the raw training examples (an iterable that can be read again)."""

    def given_vocabularies(self) -> dict[str, str]:
        """The fingerprints of the vocabularies that came trained, before any was trained or restored here."""
        if self._given is None:
            vocabularies = self.vocabularies().items()
            self._given = {field: vocabulary.fingerprint for field, vocabulary in vocabularies if vocabulary.trained}
        return self._given

    def prepare(
        self, data_dir: str | Path | None = None, progress: Progress | None = None, verify: bool = False
    ) -> Path:
        """Turns the raw examples into record files, once; opens them if they are there.

        Args:
            data_dir: Where prepared problems live; the environment's `KT2T_DATA` or `~/.cache/kt2t` by default.
            progress: Called with how many are done, of how many (None where unknown), and of what.
            verify: Also reads every file that is there again and compares its sha256.

        Returns:
            The folder.

        Raises:
            DataError: Raw data is missing, damaged or filtered away; a prepared file is damaged.
            ResourceError: No space or no permission, or another process is preparing the same.
        """
        from kt2t.data.prepare import prepare_folder

        self.use(prepare_folder(self, data_dir, progress))
        if verify and self._prepared is not None:
            self._prepared.verify()
        return self.prepared.folder

    def use(self, folder: str | Path) -> None:
        """Opens a prepared folder and takes its vocabularies over.

        Raises:
            DataError: A file of it is missing or damaged, or a vocabulary is not the one it was made with.
        """
        from kt2t.data.prepared import Prepared

        self.given_vocabularies()
        prepared = Prepared(Path(folder))
        prepared.restore_vocabularies(self.vocabularies())
        self._prepared = prepared

    @property
    def prepared(self) -> Prepared:
        """The open prepared folder; prepares first if needed."""
        if self._prepared is None:
            self.prepare()
        if self._prepared is None:
            raise DataError(f"{type(self).__name__} could not be prepared.")
        return self._prepared

    def find_prepared(self, data_dir: str | Path | None = None) -> bool:
        """Opens the prepared folder if it is there already, by default at its default place; whether one is open now."""
        from kt2t.data.location import folder_for

        if self._prepared is None:
            folder = folder_for(self, data_dir)
            if (folder / "manifest.json").is_file():
                self.use(folder)
        return self._prepared is not None

    def batches(
        self,
        split: str = "train",
        tokens: int | None = None,
        rows: int | None = None,
        seed: int = 0,
        start: int = 0,
        shuffle: bool | None = None,
        max_length: int | None = None,
        multiple: int = 1,
        shapes: int = SHAPES,
        pack: int | None = None,
        bucket_step: float | None = None,
    ) -> Batches:
        """The batches of a split: endless and shuffled for `train`, each example once, in order of length, otherwise.

        Args:
            tokens: Positions of the longest field per batch, padding counted (4,096 when `rows` is not given either).
            rows: Examples per batch, instead.
            seed: Decides the order.
            start: The step of the first batch, to go on where a run stopped.
            shuffle: Says otherwise whether to shuffle and repeat.
            max_length: In place of the problem's own.
            multiple: The rows of each batch are a multiple of this; missing ones are rows of weight zero.
            shapes: The most shapes that batches may have; more of them have less padding.
            pack: In training, rows of so many positions for every field, which several examples share; tokens // pack rows
                a batch.
            bucket_step: The shapes of Tensor2Tensor's batches instead, by its length_bucket_step, which is usually 1.1.

        Raises:
            DataError: No such split, or nothing is left of it.
            ValueError: Options that do not go together, or a field that cannot be packed.
        """
        from kt2t.data.packing import check_packable
        from kt2t.data.plan import Plan
        from kt2t.data.reader import Batches

        training = split == "train" if shuffle is None else shuffle
        if pack is not None:
            check_packable(self.features())
        records = self.prepared.records(split)
        if tokens is None and rows is None:
            tokens, rows = (4096, None) if records.lengths else (None, 32)
        plan = Plan(
            self.planned_lengths(split, records.lengths),
            count=len(records),
            tokens=tokens,
            rows=rows,
            seed=seed,
            shuffle=training,
            max_length=max_length or self.max_length,
            multiple=multiple,
            shapes=shapes,
            pack=pack,
            bucket_step=bucket_step,
        )
        if pack is not None:
            logger.info("%s %s: %s", type(self).__name__, split, plan.packed())
        if plan.dropped or plan.cut:
            logger.warning("%s %s: %s", type(self).__name__, split, plan.story())
        seen = functools.partial(self.seen, split, seed=seed)
        return Batches(records, plan, self.features(), start=start, repeat=training, seen=seen)

    def sample(self, n: int, split: str = "validation", offset: int = 0) -> dict[str, np.ndarray]:
        """The features and targets of `n` examples in the order of the records, as one batch."""
        from kt2t.data.reader import collate

        records = self.prepared.records(split)
        examples = records.read(np.arange(offset, min(offset + n, len(records))))
        examples = self.seen(split, examples, seed=0, epoch=None)
        features, targets, _ = collate(examples, self.features(), max_length=self.max_length)
        return {**features, "targets": targets}

    def references(self, split: str) -> list[dict[str, Any]]:
        """The fields of every example of a split as `values`, in the order of the records."""
        from kt2t.data.prepare import kept_examples

        manifest = self.prepared.manifest
        return [self.values(example) for example in kept_examples(self, split, manifest["held_out"])]
