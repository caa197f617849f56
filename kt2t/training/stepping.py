"""Compiles training steps, runs several of them in one call, and turns kt2t's `Batches` into datasets. Needs TensorFlow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from kt2t.training.graph import as_graph

Step = Callable[[Iterator[Any]], tuple[Any, float]]  # returns the logs, and the seconds spent waiting for data


def compiled_step(
    step: Callable[[Any], Any],
    eagerly: bool,
    jit_compile: bool,
    prepare: Callable[[Any], None],
    fixed_shapes: bool = False,
) -> Step:
    """Returns a function that takes the next batch of an iterator, runs `step` on it, and returns the logs and seconds waited.

    `step` is compiled to a graph. Batches of one structure share a graph, whatever their lengths.

    Args:
        step: Function of a batch that returns logs.
        eagerly: Whether to run `step` without a graph.
        jit_compile: Whether XLA compiles the graph.
        prepare: Called with the first batch of each structure, before the graph is made.
        fixed_shapes: Whether to make one graph per shape, with every size known, as XLA and TPUs need it.
    """
    graphs: dict[Any, Callable[[Any], Any]] = {}

    def graph(spec: Any) -> Callable[[Any], Any]:
        if fixed_shapes:
            return as_graph(step, jit_compile=jit_compile)
        if spec is None or not all(isinstance(one, tf.TensorSpec) for one in tf.nest.flatten(spec)):
            return as_graph(step, reduce_retracing=True, jit_compile=jit_compile)
        return as_graph(step, input_signature=(spec,), jit_compile=jit_compile)

    def next_step(iterator: Iterator[Any]) -> tuple[Any, float]:
        started = time.perf_counter()
        data = without_optionals(next(iterator))
        waited = time.perf_counter() - started
        spec = getattr(iterator, "element_spec", None)
        key = None if spec is None else repr(spec)
        if key not in graphs:
            prepare(data)
            graphs[key] = step if eagerly else graph(spec)
        return graphs[key](data), waited

    return next_step


def several(step: Step, count: int) -> Step:
    """Returns a function that runs `count` steps, or fewer if the data ends, and adds up the seconds waited for batches.

    The logs are those of the last step. Without any data the function raises StopIteration.

    Args:
        step: Function of an iterator over batches, as `compiled_step` returns it.
        count: Number of steps per call.
    """

    def run(iterator: Iterator[Any]) -> tuple[Any, float]:
        logs, waited = step(iterator)
        for _ in range(count - 1):
            try:
                logs, more = step(iterator)
            except StopIteration:
                break
            waited += more
        return logs, waited

    return run


def readable(data: Any, workers: int = 1, worker: int = 0) -> Any:
    """Returns a `tf.data.Dataset` with one worker's rows of kt2t's `Batches`; returns other data unchanged.

    Args:
        data: kt2t's `Batches`, the re-iterable dataset of a split, or other data.
        workers: Number of workers, which share the rows of each batch.
        worker: Index of this worker.
    """
    if not callable(getattr(data, "dataset", None)):
        return data
    return (data.shared(workers, worker) if workers > 1 else data).dataset()


@contextlib.contextmanager
def raising_data_errors(*given: Any) -> Iterator[None]:
    """Raises, from a `with` block that reads datasets of kt2t's `Batches`, the exception that stopped the `Batches`.

    TensorFlow would raise an error of its own instead, which hides the cause.

    Args:
        given: The data that the block reads: `Batches` or other data.
    """
    try:
        yield
    except tf.errors.OpError:
        for data in given:
            if getattr(data, "failure", None) is not None:
                raise data.failure from None
        raise


def without_optionals(data: Any) -> Any:
    """Replaces each `tf.experimental.Optional` in a batch by None; Keras passes an empty one if there is no sample weight."""
    return tf.nest.map_structure(lambda one: None if isinstance(one, tf.experimental.Optional) else one, data)
