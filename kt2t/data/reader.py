"""Turns plan and records into batches, read ahead so that the model never waits."""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np

from kt2t.data.in_order import cores, in_order
from kt2t.data.padding import Batch, collate, fed
from kt2t.data.plan import BatchPlan, Plan
from kt2t.data.read_ahead import read_ahead
from kt2t.data.records import Arrays, Records
from kt2t.features import flat

PATIENCE = 600.0  # seconds to wait for the next batch
PART_BYTES = 64 * 1024  # about the bytes of the records that one thread transforms at a time


class Batches:
    """A dataset of batches `(features, targets, sample_weight)`, as NumPy arrays, that can be iterated again and again.

    With a dict of targets, `targets` and `sample_weight` are dicts with the same keys.

    Every iteration starts at the batch of step `start`. Training batches (`repeat`) never end; others end with the split.
    `len` is the number of batches of one pass over the examples. The threads end with the iterator.

    `failure` is the exception that stopped the last `dataset`; TensorFlow hides it.

    Args:
        records: The records of the split.
        plan: Decides which records make up which batch.
        features: The feature of each field; `targets` may be a dict of features.
        start: The step of the first batch.
        repeat: Whether to go on for ever.
        depth: The most batches that are read ahead.
        transform: `(records, indices, epoch) → examples`, run on several threads; see `transform.Transform`. The batches do not
            depend on the number of threads. Without it, records are read on one thread and used as they are.
        workers: Processes that share each batch.
        worker: Which of these processes this is, from 0.
        threads: Threads that transform; one for each core by default.
    """

    def __init__(
        self,
        records: Records,
        plan: Plan,
        features: Mapping[str, Any],
        start: int = 0,
        repeat: bool = True,
        depth: int = 8,
        transform: Callable[[Records, np.ndarray, int | None], list[Arrays]] | None = None,
        workers: int = 1,
        worker: int = 0,
        threads: int | None = None,
    ) -> None:
        if start < 0:
            raise ValueError(f"start: {start} is negative.")
        self.records = records
        self.plan = plan
        self.features = dict(features)
        self.start = start
        self.repeat = repeat
        self.depth = depth
        self.transform = transform
        self.workers, self.worker = workers, worker
        self.threads = threads or cores()
        self.failure: Exception | None = None

    def __len__(self) -> int:
        return len(self.plan)

    @property
    def packed(self) -> bool:
        """True if several examples share a row."""
        return self.plan.pack is not None

    def __iter__(self) -> Iterator[Batch]:
        return read_ahead(self._batches, self.depth, PATIENCE)

    def batch(self, step: int) -> Batch:
        """Returns the batch of a step; with several workers, this worker's rows of it."""
        plan = self._planned(step)
        return self._collated(plan, self._examples(plan.indices[plan.indices >= 0], self._epoch(step)))

    def at(self, start: int) -> Batches:
        """Returns the same dataset, starting at another step.

        To continue training where an optimizer is: `batches.at(int(model.optimizer.iterations))`.
        """
        return self._with(start=start)

    def once(self) -> Batches:
        """Returns the same dataset for one pass over the examples; of endless batches, the first epoch."""
        return self._with(repeat=False, start=0) if self.repeat else self

    def shared(self, workers: int, worker: int) -> Batches:
        """Returns the dataset of one of several workers: an equal share of each batch, filled up with rows of weight zero."""
        return self._with(workers=workers, worker=worker)

    def signature(self) -> tuple[dict[str, Any], Any, Any]:
        """Returns shape (None where it varies) and dtype of every array of a batch, in the structure of a batch."""
        fields, features = flat(self.features), {}
        for field in fed(self.features):
            features[field] = _kind(fields, field)
            if fields[field].has_segments:
                features[f"{field}_segments"] = ((None, None), "int32")
        targets = self.features["targets"]
        if isinstance(targets, Mapping):
            names = {key: f"targets.{key}" for key in targets}
            kinds = {key: _kind(fields, name) for key, name in names.items()}
            return features, kinds, {key: _weight(fields, name) for key, name in names.items()}
        return features, _kind(fields, "targets"), _weight(fields, "targets")

    def dataset(self) -> Any:
        """Converts to what Keras's `fit` takes: a `tf.data.Dataset` on TensorFlow, a generator on other backends."""
        import keras

        if keras.backend.backend() != "tensorflow":
            return iter(self)
        import tensorflow as tf

        kinds = tuple(
            {key: tf.TensorSpec(*kind) for key, kind in part.items()} if isinstance(part, Mapping) else tf.TensorSpec(*part)
            for part in self.signature()
        )
        arrays = tf.nest.flatten(kinds)
        self.failure = None
        feed = _Feed(self)
        # TensorFlow keeps the function of a `numpy_function` for ever; the dataset alone shall keep the feed.
        weak = weakref.ref(feed)

        def read(step: int) -> list[Any]:
            return tf.nest.flatten(weak()(int(step)))  # type: ignore[misc]

        # Neither `from_generator` nor TensorFlow's own prefetching: a call of Python that they have under way when the
        # interpreter ends is waited for without end. The thread of `__iter__` reads ahead instead.
        def batch(step: Any) -> Any:
            found = tf.numpy_function(read, [step], [kind.dtype for kind in arrays])
            shaped = [tf.ensure_shape(array, kind.shape) for array, kind in zip(found, arrays, strict=True)]
            return tf.nest.pack_sequence_as(kinds, shaped)

        steps = tf.data.Dataset.counter(self.start) if self.repeat else tf.data.Dataset.range(self.start, len(self))
        # Nothing here can be tuned, and the thread that would try sleeps for longer and longer; the end of an iterator, and so
        # of an evaluation that a signal cuts, waits until it wakes: 20 s were seen.
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        options.autotune.enabled = False
        dataset = steps.map(batch).with_options(options)
        dataset.feed = feed
        return dataset

    def _with(self, **changed: Any) -> Batches:
        names = ("records", "plan", "features", "start", "repeat", "depth", "transform", "workers", "worker", "threads")
        return Batches(**{**{name: getattr(self, name) for name in names}, **changed})

    def _batches(self) -> Generator[Batch, None, None]:
        """The batches from `start` on, transformed on all threads."""
        if self.transform is None:
            yield from map(self.batch, self._steps())
            return
        planned: deque[BatchPlan] = deque()
        parts = in_order(lambda part: (self._examples(*part[:2]), part[2]), self._parts(planned), self.threads)
        examples: list[Arrays] = []
        with contextlib.closing(parts):  # type: ignore[type-var]
            for part, is_last in parts:
                examples += part
                if is_last:
                    yield self._collated(planned.popleft(), examples)
                    examples = []

    def _parts(self, planned: deque[BatchPlan]) -> Iterator[tuple[np.ndarray, int | None, bool]]:
        """The records of each batch in parts, with the epoch and whether the part is the batch's last.

        Appends each batch to `planned` before its parts.
        """
        size = max(1, int(PART_BYTES / max(1.0, self.records.mean_bytes)))
        for step in self._steps():
            plan = self._planned(step)
            planned.append(plan)
            indices = plan.indices[plan.indices >= 0]
            for begin in range(0, max(1, len(indices)), size):
                yield indices[begin : begin + size], self._epoch(step), begin + size >= len(indices)

    def _planned(self, step: int) -> BatchPlan:
        """This worker's rows of a batch, as many as every worker has."""
        plan = self.plan.batch(step)
        missing = -len(plan.indices) % self.workers
        filled = np.concatenate([plan.indices, np.full((missing, *plan.indices.shape[1:]), -1, plan.indices.dtype)])
        return BatchPlan(filled[self.worker :: self.workers], plan.shape)

    def _epoch(self, step: int) -> int | None:
        return step // len(self.plan) if self.plan.shuffle else None

    def _examples(self, indices: np.ndarray, epoch: int | None) -> list[Arrays]:
        if self.transform is None:
            return self.records.read(indices)
        return self.transform(self.records, indices, epoch)

    def _collated(self, plan: BatchPlan, examples: list[Arrays]) -> Batch:
        found = iter(examples)
        counts = (plan.indices >= 0).reshape(len(plan.indices), -1).sum(1)
        return collate([[next(found) for _ in range(count)] for count in counts], self.features, plan.shape)

    def _steps(self) -> Iterator[int]:
        step = self.start
        while self.repeat or step < len(self.plan):
            yield step
            step += 1


class _Feed:
    """Batches by step, read ahead as long as the steps follow each other."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._next: tuple[int, Iterator[Batch]] | None = None

    def __call__(self, step: int) -> Batch:
        if self._next is None or self._next[0] != step:
            self._next = (step, iter(self._batches.at(step)))
        iterator = self._next[1]
        try:
            batch = next(iterator)
        except Exception as error:
            self._batches.failure = error
            raise
        self._next = (step + 1, iterator)
        return batch


def _kind(fields: Mapping[str, Any], field: str) -> tuple[tuple[int | None, ...], str]:
    return (None, *fields[field].shape), fields[field].dtype


def _weight(fields: Mapping[str, Any], field: str) -> tuple[tuple[None, ...], str]:
    return (None, None) if fields[field].has_segments else (None,), "float32"
