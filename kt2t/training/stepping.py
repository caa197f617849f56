"""Compiles steps, runs several in one call, and turns kt2t's `Batches` into datasets. Needs TensorFlow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from kt2t.training.graph import as_graph

Step = Callable[[Iterator[Any]], tuple[Any, float]]  # the logs, and the seconds that the data was waited for


def compiled_step(
    step: Callable[[Any], Any],
    eagerly: bool,
    jit_compile: bool,
    prepare: Callable[[Any], None],
    fixed_shapes: bool = False,
) -> Step:
    """Compiles `step` on the next batch of an iterator: one graph per structure of batches, for all lengths.

    Args:
        prepare: Called with a batch before the graph of its structure is made.
        fixed_shapes: Makes one graph per shape instead, with every size known, as XLA and TPUs need it.
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
    """Runs `count` steps in one call, or fewer if the data ends. If the first one has no data, raises `StopIteration`."""

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
    """Makes a `tf.data.Dataset` of a worker's share of kt2t's `Batches`; returns other data unchanged."""
    if not callable(getattr(data, "dataset", None)):
        return data
    return (data.shared(workers, worker) if workers > 1 else data).dataset()


@contextlib.contextmanager
def raising_data_errors(*given: Any) -> Iterator[None]:
    """Raises the exception that stopped kt2t's `Batches` instead of TensorFlow's error, which hides it."""
    try:
        yield
    except tf.errors.OpError:
        for data in given:
            if getattr(data, "failure", None) is not None:
                raise data.failure from None
        raise


def without_optionals(data: Any) -> Any:
    """Replaces the empty Optional, which Keras's generator adapter passes for a missing sample weight, by None."""
    return tf.nest.map_structure(lambda one: None if isinstance(one, tf.experimental.Optional) else one, data)
