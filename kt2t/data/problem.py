"""The base class of problems: raw examples, the features they become, and how a prediction is judged and shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kt2t.data.answers import Answers
from kt2t.data.lengths import check_max_length, limits_of, own_lengths
from kt2t.data.shapes import SHAPES
from kt2t.errors import DataError, RecipeError
from kt2t.features import flat
from kt2t.registry import register

if TYPE_CHECKING:
    from kt2t.data.draw import Draw
    from kt2t.data.prepared import Prepared
    from kt2t.data.reader import Batches
    from kt2t.data.records import Records

Example = dict[str, Any]
Progress = Callable[[int, "int | None", str], None]

logger = logging.getLogger("kt2t")


def first_empty(example: Mapping[str, Any], fields: Iterable[str]) -> str | None:
    """Returns `empty FIELD` for the first of these fields whose text is empty or white space; None if there is none."""
    for field in fields:
        value = example.get(field)
        if isinstance(value, str) and (not value or value.isspace()):
            return f"empty {field}"
    return None


@register
class Problem(Answers):
    """A task to learn: raw examples in, batches and scores out.

    A problem of your own defines `splits`, `examples`, `encode` and `features`; the rest follows. A subclass with options of
    its own takes `loss` and `max_length` as well and passes them to `super().__init__`.

    Args:
        loss: The loss, or the node that describes it; cross-entropy by default.
        max_length: The most positions (tokens, for text; the end included) of every field, or of each named field:
            `{inputs: 256, targets: 64}`. Longer examples are dropped in training and cut in evaluation.

    Raises:
        ValueError: A `max_length` is not positive.
    """

    # Options that change how records are used, not what records hold.
    training_options = frozenset({"loss", "max_length"})
    # Of several targets, what each one's loss counts by key; 1 where nothing else is said.
    loss_weights: Mapping[str, float] | None = None
    # How many examples of each split `prepare` may leave out because `encode` refuses them with a DataError.
    skip = 0

    def __init__(self, loss: Any = None, max_length: int | dict[str, int] | None = None) -> None:
        check_max_length(max_length)
        self.max_length = max_length
        self._loss = loss
        self._prepared: Prepared | None = None
        self._given: dict[str, str] | None = None

    def splits(self) -> tuple[str, ...]:
        """Names the splits that `examples` can yield. Without `validation`, part of `train` is held out for it."""
        return ("train", "validation")

    def examples(self, split: str) -> Iterable[Example]:
        """Yields the raw examples of a split, the same each time: mappings of field to text, bytes, number, array or list."""
        raise NotImplementedError(f"{type(self).__name__} must define examples(split).")

    def encode(self, example: Mapping[str, Any]) -> dict[str, Any]:
        """Turns a raw example into arrays, one for each field of `stored`, ends of sequences included.

        For a dict of targets: `{"targets": {key: array}, …}`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define encode(example).")

    def features(self) -> dict[str, Any]:
        """Returns the feature of each field that a model reads or predicts; `targets` may be a dict of features."""
        raise NotImplementedError(f"{type(self).__name__} must define features().")

    def expected_features(self) -> dict[str, Any]:
        """Like `features`, with the requested size where a vocabulary is not trained yet."""
        return self.features()

    def encode_all(self, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Encodes many raw examples; override it if many at once are cheaper."""
        return [self.encode(example) for example in examples]

    def stored(self) -> dict[str, Any]:
        """Returns the feature of each field as records store it: `features`, unless `transform` makes these from another form.

        A record may also have a field `prompt_length`, a whole number: so many targets at the start of the example have weight
        zero, because the model continues them and is not trained on them.
        """
        return self.features()

    def cut(self, split: str, examples: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """Turns encoded examples into records, in their order; override it to cut or join examples."""
        return examples

    def counted(self, examples: Sequence[Mapping[str, Any]], encoded: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Counts properties of raw and encoded examples, by name; the prepared data's manifest holds the sums of a split."""
        return {}

    @property
    def makes_one_record_each(self) -> bool:
        """Whether every example makes one record, because the class does not override `cut`."""
        return type(self).cut is Problem.cut

    def transformed_lengths(self, example: Mapping[str, Any]) -> dict[str, int]:
        """Returns the lengths, in raw values such as samples of sound, of fields that a record stores in another form.

        The plan needs them, because the number of bytes of an `Encoded` recording does not say how many samples it has.
        """
        return {}

    def planned_lengths(self, split: str, lengths: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Computes the lengths of a split's fields after `transform`, in raw values, from the lengths of its records."""
        return lengths

    def epoch_limits(self, epoch: int) -> Mapping[str, int] | None:
        """Returns the most positions that fields of training examples may have in an epoch; None where nothing is left out.

        Override it for a curriculum. It must depend on its argument alone, so that a run continues exactly.
        """
        return None

    def transform(self, split: str, example: dict[str, Any], draw: Draw | None) -> dict[str, Any]:
        """Transforms a record for one epoch: decodes, augments, cuts. It must depend on its arguments alone.

        Called on several threads. All randomness comes from `draw.generator()`.

        Args:
            split: The split.
            example: The arrays of a record, by field of `stored`. They cannot be written to; return others.
            draw: Identifies example and epoch; None in evaluation and samples, where nothing is random.

        Returns:
            An array for each field of `features`.
        """
        return example

    def reject(self, example: Mapping[str, Any]) -> str | None:
        """Returns the reason for leaving out a raw example, such as `empty inputs`; None to keep it."""
        return first_empty(example, example)

    def source_files(self) -> list[Path]:
        """Lists the files and folders that the examples come from: those of the options `path` and `…_files`.

        A file is identified by its content. A folder stands for all files below it that are not hidden, and is identified by
        their names, sizes and times: use it for folders of very many files.
        """
        from kt2t.data.location import option_files

        return option_files(self)

    def vocabularies(self) -> dict[str, Any]:
        """Returns the vocabulary of each field that has one."""
        return {}

    def train_vocabularies(self, examples: Iterable[Example]) -> None:
        """Trains the untrained vocabularies from the raw training examples, an iterable that can be read several times."""

    def given_vocabularies(self) -> dict[str, str]:
        """Returns, by field, the fingerprints of the vocabularies that were passed in already trained."""
        if self._given is None:
            vocabularies = self.vocabularies().items()
            self._given = {field: vocabulary.fingerprint for field, vocabulary in vocabularies if vocabulary.trained}
        return self._given

    def prepare(
        self, data_dir: str | Path | None = None, progress: Progress | None = None, verify: bool = False
    ) -> Path:
        """Turns the raw examples into record files, or opens the files if they are there already.

        Args:
            data_dir: The folder of prepared problems; the environment's `KT2T_DATA` or `~/.cache/kt2t` by default.
            progress: Called with the number done, the total (None where unknown), and what is counted.
            verify: Also compares the sha256 of every prepared file.

        Returns:
            The folder of this problem.

        Raises:
            DataError: Raw data is missing, damaged or all filtered out; a prepared file is damaged, or holds other examples
                than `examples` gives now.
            ResourceError: No space or no permission, or another process is preparing the same problem.
        """
        from kt2t.data.prepare import prepare_folder
        from kt2t.data.raw_check import check_raw

        self.use(prepare_folder(self, data_dir, progress))
        check_raw(self)
        if verify and self._prepared is not None:
            self._prepared.verify()
        return self.prepared.folder

    def use(self, folder: str | Path) -> None:
        """Opens a prepared folder and gives its vocabularies to this problem.

        Raises:
            DataError: A file is missing or damaged, or the problem has another vocabulary than the folder was made with.
        """
        from kt2t.data.prepared import Prepared

        self.given_vocabularies()
        prepared = Prepared(Path(folder))
        prepared.restore_vocabularies(self.vocabularies())
        self._prepared = prepared

    @property
    def prepared(self) -> Prepared:
        """Returns the open prepared folder; prepares the problem first if needed."""
        if self._prepared is None:
            self.prepare()
        if self._prepared is None:
            raise DataError(f"{type(self).__name__} could not be prepared.")
        return self._prepared

    def find_prepared(self, data_dir: str | Path | None = None) -> bool:
        """Opens the prepared folder if it exists; returns whether one is open now."""
        from kt2t.data.location import folder_for, say_reused
        from kt2t.data.raw_check import check_raw

        if self._prepared is None:
            folder = folder_for(self, data_dir)
            if (folder / "manifest.json").is_file():
                say_reused(self, folder)
                self.use(folder)
                check_raw(self)
        return self._prepared is not None

    def batches(
        self,
        split: str = "train",
        tokens: int | None = None,
        rows: int | None = None,
        seed: int = 0,
        start: int = 0,
        shuffle: bool | None = None,
        max_length: int | dict[str, int] | None = None,
        multiple: int = 1,
        shapes: int = SHAPES,
        pack: int | None = None,
        bucket_step: float | None = None,
    ) -> Batches:
        """Returns the batches of a split: endless and shuffled for `train`; for other splits each example once, by length.

        Args:
            tokens: Positions of the longest field per batch, padding counted (4,096 if `rows` is not given either).
            rows: Examples per batch, instead of `tokens`.
            seed: Decides the order, and what `transform` draws.
            start: The step of the first batch, to continue where a run stopped.
            shuffle: Overrides whether to shuffle and repeat.
            max_length: Overrides the problem's own.
            multiple: The rows of each batch are a multiple of this; missing ones are rows of weight zero.
            shapes: The most shapes that batches may have; more shapes have less padding.
            pack: For training: rows of this many positions for every field, which several examples share; a batch has
                tokens // pack rows.
            bucket_step: Uses the shapes of Tensor2Tensor's batches, with this length_bucket_step; it is usually 1.1.

        Raises:
            DataError: No such split, or no example of it is left.
            ValueError: Options that do not go together, or a field that cannot be packed.
        """
        from kt2t.data.packing import check_packable
        from kt2t.data.plan import Plan
        from kt2t.data.reader import Batches
        from kt2t.data.transform import Transform

        training = split == "train" if shuffle is None else shuffle
        features = self.features()
        if pack is not None:
            check_packable(features)
            if self.epoch_limits(0) is not None:
                raise RecipeError("a curriculum needs one example a row. Leave pack out.", path="train.batch.pack")
        records = self.prepared.records(split)
        lengths = self._positions(split, records)
        if tokens is None and rows is None:
            tokens, rows = (4096, None) if lengths else (None, 32)
        plan = Plan(
            lengths,
            count=len(records),
            tokens=tokens,
            rows=rows,
            seed=seed,
            shuffle=training,
            max_length=limits_of(max_length or self.max_length, features),
            multiple=multiple,
            shapes=shapes,
            pack=pack,
            bucket_step=bucket_step,
            limits=self.epoch_limits if split == "train" else None,
        )
        if pack is not None:
            logger.info("%s %s: %s", type(self).__name__, split, plan.packing_summary())
        if plan.dropped or plan.cut:
            logger.warning("%s %s: %s", type(self).__name__, split, plan.summary())
        transform = Transform(self, split, seed) if self._transforms() else None
        return Batches(records, plan, features, start=start, repeat=training, transform=transform)

    def _transforms(self) -> bool:
        """Whether the problem has a transform of its own; records of others are used as they are."""
        return type(self).transform is not Problem.transform

    def _positions(self, split: str, records: Records) -> dict[str, np.ndarray]:
        """For each field with a length of its own, the positions of every record of a split."""
        kind, stored, features = type(self), flat(self.stored()), self.features()
        others = {field: feature for field, feature in flat(features).items() if stored.get(field) != feature}
        for field, feature in others.items():
            if not self._transforms():
                raise DataError(
                    f"{kind.__name__} stores {field} as {stored.get(field)!r}, not as {feature!r}. "
                    f"Define {kind.__name__}.transform to make one of the other."
                )
        lengths = self.planned_lengths(split, records.lengths)
        positions = {}
        for field, feature in own_lengths(features).items():
            measured = kind.transformed_lengths is not Problem.transformed_lengths
            measured |= kind.planned_lengths is not Problem.planned_lengths
            if field not in lengths or field in others and not measured:
                raise DataError(
                    f"nothing says how long {field} of {kind.__name__} is once it is transformed. "
                    f"Define {kind.__name__}.transformed_lengths and prepare the problem again, or define planned_lengths."
                )
            positions[field] = feature.positions(lengths[field])
        return positions

    def sample(self, n: int, split: str = "validation", offset: int = 0) -> dict[str, Any]:
        """Returns features and targets of `n` examples as one batch, in the order of the records."""
        from kt2t.data.padding import collate
        from kt2t.data.transform import Transform

        records = self.prepared.records(split)
        indices = np.arange(offset, min(offset + n, len(records)))
        examples = Transform(self, split, 0)(records, indices, None) if self._transforms() else records.read(indices)
        features, targets, _ = collate(examples, self.features(), max_length=self.max_length)
        return {**features, "targets": targets}

    def batch_of(self, examples: Sequence[Any]) -> dict[str, Any]:
        """Encodes new texts or other examples as the features of one batch, for `answer` and `generate`.

        Args:
            examples: Each a text, the path of a picture or recording, or a dict of raw values by field.

        Raises:
            DataError: An example does not fit.
        """
        from kt2t.data.unseen import batch_of

        return batch_of(self, examples)

    def references(self, split: str) -> list[dict[str, Any]]:
        """Returns the fields of every example of a split in the form that `decode` gives, in the order of the records.

        The text of an evaluation split is the raw text as it was when the problem was prepared.
        """
        from kt2t.data.prepare import kept_examples
        from kt2t.data.references import read_references

        kept = read_references(self, split)
        if kept is not None:
            return kept
        return [self.values(example) for example in kept_examples(self, split, self.prepared.manifest["held_out"])]
