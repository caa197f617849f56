"""Runs functions on the replicas of a TensorFlow strategy, and sums their results.

Replicas are the copies of a model on several devices.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from kt2t.training.graph import as_graph


class Replicas:
    """The replicas of a TensorFlow strategy (copies of a model on devices), on which to run functions and sum their results.

    Every worker reads the same batches, takes its share of the rows, and splits this share among its replicas. A single
    device is one replica.

    Args:
        strategy: The strategy in whose scope the model was made; TensorFlow's default strategy for one device.

    Attributes:
        count: Number of replicas of all workers together.
        local: Number of replicas in this process.
        workers: Number of processes.
        worker: Index of this process; worker 0 writes the files.
        on_tpu: Whether the replicas are cores of a TPU, whose programs have fixed shapes.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        self.count = int(strategy.num_replicas_in_sync)
        self.on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
        self.local, self.worker = 1, 0
        if self.divided:
            ids = strategy.experimental_distribute_values_from_function(
                lambda context: context.replica_id_in_sync_group
            )
            mine = [int(one) for one in strategy.experimental_local_results(ids)]
            self.local, self.worker = len(mine), min(mine) // len(mine)
        self.workers = self.count // self.local
        self._everywhere = as_graph(self._summed_everywhere)

    @property
    def divided(self) -> bool:
        """Whether functions must run through the strategy: there are several replicas, or the device is a TPU."""
        return self.count > 1 or self.on_tpu

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context manager in which to make variables, so that every replica has a copy of them."""
        scope: contextlib.AbstractContextManager[Any] = (
            self.strategy.scope() if self.divided else contextlib.nullcontext()
        )
        return scope

    def run(self, function: Callable[..., Any], each: Sequence[Any], *same: Any) -> Any:
        """Runs `function(share, *same)` on every replica of this process, and returns the result with a value per replica.

        `first`, `together` and `again` read such results.

        Args:
            function: Function of a share and of `same`.
            each: The share of each local replica, a nest of tensors.
            same: Arguments that all replicas get.
        """
        if not self.divided:
            return function(each[0], *same)

        flat = [tf.nest.flatten(one) for one in each]
        places = [
            self.strategy.experimental_distribute_values_from_function(
                lambda context, i=i: flat[context.replica_id_in_sync_group % self.local][i]
            )
            for i in range(len(flat[0]))
        ]
        return self.strategy.run(function, args=(tf.nest.pack_sequence_as(each[0], places), *same))

    def again(self, function: Callable[..., Any], *given: Any) -> Any:
        """Runs `function(*given)` on every replica. If `given` holds results of `run`, each replica gets its own values."""
        return self.strategy.run(function, args=given) if self.divided else function(*given)

    def first(self, values: Any) -> Any:
        """Returns the values of this process's first replica from a result of `run`, a nest of tensors."""
        if not self.divided:
            return values
        return tf.nest.map_structure(lambda one: self.strategy.experimental_local_results(one)[0], values)

    def together(self, values: Any) -> Any:
        """Concatenates, for each tensor in a result of `run`, the values of all local replicas along axis 0."""
        if not self.divided:
            return values
        return tf.nest.map_structure(lambda one: tf.concat(self.strategy.experimental_local_results(one), 0), values)

    def summed(self, values: Sequence[Any]) -> list[Any]:
        """Sums each tensor over all replicas of all workers. Call it only inside a function that `run` runs."""
        if not self.divided or not values:
            return list(values)
        context = tf.distribute.get_replica_context()
        return list(context.all_reduce(tf.distribute.ReduceOp.SUM, list(values)))

    def everywhere(self, value: tf.Tensor) -> tf.Tensor:
        """Sums `value` over all replicas of all workers, so that a worker's value counts once per replica of the worker.

        Call it outside of a step.
        """
        return self._everywhere(value)

    def index(self) -> Any:
        """Returns the index of the calling replica among those of all workers, as an int32 tensor; 0 for one device."""
        return tf.distribute.get_replica_context().replica_id_in_sync_group if self.divided else 0

    def _summed_everywhere(self, value: tf.Tensor) -> tf.Tensor:
        # A tensor from outside is on no device, and TensorFlow sums only tensors that are on a device.
        return self.first(self.run(lambda given: self.summed([tf.identity(given)])[0], [value] * self.local))


@contextlib.contextmanager
def left_to_us(optimizer: Any) -> Iterator[None]:
    """Prevents a Keras optimizer, inside the `with` block, from summing gradients over replicas and from overwriting weights.

    Use it while the optimizer's update is traced on a replica. The gradients are already summed there, so a second sum
    would multiply them by the number of replicas. A replica also cannot overwrite weights by their moving averages
    (keras#20582). Keras itself would clip before it sums (tensorflow#33929).
    """
    overwriting = optimizer.ema_overwrite_frequency
    keras.optimizers.Optimizer._all_reduce_sum_gradients = lambda self, pairs: list(pairs)
    optimizer.ema_overwrite_frequency = None
    try:
        yield
    finally:
        del keras.optimizers.Optimizer._all_reduce_sum_gradients
        optimizer.ema_overwrite_frequency = overwriting
