"""Plan and records to batches, read ahead on a thread so that the model never waits."""

from __future__ import annotations

import atexit
import faulthandler
import functools
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.data.plan import Plan
from kt2t.data.records import Arrays, Records
from kt2t.errors import StalledError
from kt2t.features import Feature, Text

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]
PATIENCE = 600.0  # seconds that the next batch is waited for


class Batches:
    """The batches `(features, targets, sample_weight)` of a plan, as NumPy arrays.

    Iterating begins at the batch `start`, each time anew; training batches never end, others end with the split. `len` is the
    number of batches of one pass over the examples. The reading thread ends with the iterator.

    `failure` is what kept the latest `dataset` from giving a batch: TensorFlow tells of it in an error of its own.

    Args:
        records: Where the examples are.
        plan: Which of them make up which batch.
        features: What their fields are.
        start: The step of the first batch.
        repeat: Whether to go on for ever.
        depth: How many batches are read ahead.
        workers: Processes that share each batch.
        worker: Which of them this is, from 0.
        seen: `(examples, epoch) → examples`, what an epoch makes of the records; `epoch` is None where every one is the same.
    """

    def __init__(
        self,
        records: Records,
        plan: Plan,
        features: Mapping[str, Feature],
        start: int = 0,
        repeat: bool = True,
        depth: int = 8,
        seen: Callable[..., list[Arrays]] | None = None,
        workers: int = 1,
        worker: int = 0,
    ) -> None:
        if start < 0:
            raise ValueError(f"start: {start} is negative.")
        self.records = records
        self.plan = plan
        self.features = dict(features)
        self.start = start
        self.repeat = repeat
        self.depth = depth
        self.seen = seen
        self.workers, self.worker = workers, worker
        self.failure: Exception | None = None

    def __len__(self) -> int:
        return len(self.plan)

    @property
    def packed(self) -> bool:
        """Whether several examples share a row."""
        return self.plan.pack is not None

    def __iter__(self) -> Iterator[Batch]:
        stop = threading.Event()
        ready: queue.Queue[Any] = queue.Queue(self.depth)
        thread = threading.Thread(target=self._read_ahead, args=(ready, stop), name="kt2t reader", daemon=True)
        thread.start()
        # A thread that is inside compiled code when the interpreter ends would abort the process.
        end = functools.partial(_end, ready, stop, thread)
        atexit.register(end)
        try:
            while (item := _taken(ready)) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()  # without waiting: this may run while the interpreter ends, when threads no longer do
            atexit.unregister(end)

    def batch(self, step: int) -> Batch:
        """The batch of a step; with several workers the rows of this one."""
        plan = self.plan.batch(step)
        indices = self._mine(plan.indices)
        real = indices >= 0
        arrays = self.records.read(indices[real])
        if self.seen is not None:
            arrays = self.seen(arrays, epoch=step // len(self.plan) if self.plan.shuffle else None)
        found = iter(arrays)
        rows = [[next(found) for _ in range(count)] for count in real.reshape(len(real), -1).sum(1)]
        return collate(rows, self.features, plan.shape)

    def at(self, start: int) -> Batches:
        """The same batches from another step on."""
        return self._with(start=start)

    def shared(self, workers: int, worker: int) -> Batches:
        """The rows of one of several workers, as many for each; rows of weight zero fill up what is missing."""
        return self._with(workers=workers, worker=worker)

    def signature(self) -> tuple[dict[str, Any], Any, Any]:
        """Shape (None where it varies) and dtype of every array of a batch, in a batch's structure."""
        features: dict[str, Any] = {}
        for field, feature in self.features.items():
            if field != "targets" or isinstance(feature, Text):
                features[field] = ((None, *feature.shape), feature.dtype)
                if feature.has_segments:
                    features[f"{field}_segments"] = ((None, None), "int32")
        target = self.features["targets"]
        weight = (None, None) if target.has_segments else (None,)
        return features, ((None, *target.shape), target.dtype), (weight, "float32")

    def dataset(self) -> Any:
        """What Keras's `fit` takes on the backend in use: a `tf.data.Dataset` on TensorFlow, elsewhere a generator."""
        import keras

        if keras.backend.backend() != "tensorflow":
            return iter(self)
        import tensorflow as tf

        features, targets, weight = self.signature()
        kinds = (
            {name: tf.TensorSpec(*kind) for name, kind in features.items()},
            tf.TensorSpec(*targets),
            tf.TensorSpec(*weight),
        )
        flat = tf.nest.flatten(kinds)
        self.failure = None
        feed = _Feed(self)
        # TensorFlow keeps the function of a `numpy_function` for ever; the dataset alone shall keep the feed.
        weak = weakref.ref(feed)

        def read(step: int) -> list[Any]:
            return tf.nest.flatten(weak()(int(step)))  # type: ignore[misc]

        # Neither `from_generator` nor TensorFlow's own prefetching: a call of Python that they have under way when the
        # interpreter ends is waited for without end. The thread of `__iter__` reads ahead instead.
        def batch(step: Any) -> Any:
            arrays = tf.numpy_function(read, [step], [kind.dtype for kind in flat])
            shaped = [tf.ensure_shape(array, kind.shape) for array, kind in zip(arrays, flat, strict=True)]
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
        names = ("records", "plan", "features", "start", "repeat", "depth", "seen", "workers", "worker")
        return Batches(**{**{name: getattr(self, name) for name in names}, **changed})

    def _mine(self, indices: np.ndarray) -> np.ndarray:
        missing = -len(indices) % self.workers
        filled = np.concatenate([indices, np.full((missing, *indices.shape[1:]), -1, indices.dtype)])
        return filled[self.worker :: self.workers]

    def _steps(self) -> Iterator[int]:
        step = self.start
        while self.repeat or step < len(self.plan):
            yield step
            step += 1

    def _read_ahead(self, ready: queue.Queue[Any], stop: threading.Event) -> None:
        try:
            for step in self._steps():
                if not _offered(ready, self.batch(step), stop):
                    return
            _offered(ready, None, stop)
        except BaseException as error:
            _offered(ready, error, stop)


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


def collate(
    examples: Sequence[Arrays | Sequence[Arrays] | None],
    features: Mapping[str, Feature],
    shape: Mapping[str, int] | None = None,
    max_length: int | None = None,
) -> Batch:
    """Pads examples to one batch, with segments and weights.

    The examples of a packed row follow each other in every field, under the same segment numbers, which count from 1.

    Args:
        examples: The arrays of each row; several of a packed row, none or None for a row of weight zero.
        features: What the fields are.
        shape: The padded length of each field of variable length; the longest example's without it. What is longer is cut.
        max_length: The most for lengths that are not given.

    Returns:
        Features, targets and sample weights. Text targets stand among the features as well, with their segments. The first
        `given` targets of an example that has such a number weigh nothing.
    """
    batch: dict[str, np.ndarray] = {}
    targets = weight = np.ones(len(examples), np.float32)
    rows = [[] if row is None else [row] if isinstance(row, Mapping) else row for row in examples]
    for field, feature in features.items():
        length = (shape or {}).get(field) if feature.has_segments else None
        values, segments = _stacked([[e[field] for e in row] for row in rows], feature, length, max_length)
        if field == "targets":
            targets, weight = values, (segments > 0).astype(np.float32)
            for place, row in enumerate(rows):
                _unweigh_given(weight[place], row)
        if field != "targets" or isinstance(feature, Text):
            batch[field] = values
            if feature.has_segments:
                batch[f"{field}_segments"] = segments
    return batch, targets, weight


def _unweigh_given(weight: np.ndarray, row: Sequence[Arrays]) -> None:
    begin = 0
    for example in row:
        if "given" in example:
            weight[begin : begin + int(example["given"])] = 0
        begin += np.size(example["targets"])


def _stacked(
    rows: Sequence[Sequence[Any]], feature: Feature, length: int | None, max_length: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The padded values, and which part of the row is real there, from 1: per position where lengths vary, else per row."""
    if not feature.has_segments:
        stacked = np.zeros((len(rows), *(size or 0 for size in feature.shape)), feature.dtype)
        real = np.zeros(len(rows), np.int32)
        for place, row in enumerate(rows):
            if row:
                stacked[place], real[place] = row[0], 1
        return stacked, real
    if length is None:
        length = max([1, *(sum(map(len, row)) for row in rows)])
        length = min(length, max_length or length)
    stacked = np.zeros((len(rows), length, *(size or 0 for size in feature.shape[1:])), feature.dtype)
    real = np.zeros((len(rows), length), np.int32)
    for place, row in enumerate(rows):
        begin = 0
        for number, part in enumerate(row, 1):
            end = min(begin + len(part), length)
            stacked[place, begin:end], real[place, begin:end] = part[: end - begin], number
            begin = end
    return stacked, real


def _offered(ready: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    """Waits for room in the queue; False when nobody will take any more."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False


def _taken(ready: queue.Queue[Any]) -> Any:
    """The next of a queue, or an end of the waiting with the stack of every thread, which shows what it waits for."""
    try:
        return ready.get(timeout=PATIENCE)
    except queue.Empty:
        faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
        return StalledError(
            f"no batch came for {PATIENCE:g} seconds; the thread 'kt2t reader' waits where its stack, above, ends. See "
            "whether the disk or the network of the prepared data answers, then start again: training continues."
        )


def _end(ready: queue.Queue[Any], stop: threading.Event, thread: threading.Thread) -> None:
    """Ends a reading thread, and the wait of whoever waits for it."""
    stop.set()
    thread.join()
    if ready.empty():
        ready.put_nowait(None)
