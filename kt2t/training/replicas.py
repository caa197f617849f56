"""The replicas of a TensorFlow strategy as a step sees them: who they are, what each gets, how they add up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from kt2t.training.graph import as_graph


class Replicas:
    """The replicas that share each batch; without a strategy there is one.

    Every worker reads the same batches and takes its own rows of them; its replicas take theirs of these.

    Args:
        strategy: Where the model was made.

    Attributes:
        count: Replicas of all workers together.
        local: Those of this process.
        workers: Processes.
        worker: This one's number, from 0; worker 0 writes.
        on_tpu: Whether they are the cores of a TPU, whose programs have fixed shapes.
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
        """Whether there is more than one replica, or one that is not where the program runs."""
        return self.count > 1 or self.on_tpu

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Where variables are made."""
        scope: contextlib.AbstractContextManager[Any] = (
            self.strategy.scope() if self.divided else contextlib.nullcontext()
        )
        return scope

    def run(self, function: Callable[..., Any], each: Sequence[Any], *same: Any) -> Any:
        """Runs `function(share, *same)` on every replica of this process.

        Args:
            each: A nest for each local replica.
            same: What all of them get.
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
        """Runs `function(*given)` on every replica; values of an earlier `run` reach the replica that they came from."""
        return self.strategy.run(function, args=given) if self.divided else function(*given)

    def first(self, values: Any) -> Any:
        """Of a nest of values of a `run`, those of the first local replica."""
        if not self.divided:
            return values
        return tf.nest.map_structure(lambda one: self.strategy.experimental_local_results(one)[0], values)

    def together(self, values: Any) -> Any:
        """Of a nest of values of a `run`, those of all local replicas, one after the other along axis 0."""
        if not self.divided:
            return values
        return tf.nest.map_structure(lambda one: tf.concat(self.strategy.experimental_local_results(one), 0), values)

    def summed(self, values: Sequence[Any]) -> list[Any]:
        """The sums over all replicas; called on a replica."""
        if not self.divided or not values:
            return list(values)
        context = tf.distribute.get_replica_context()
        return list(context.all_reduce(tf.distribute.ReduceOp.SUM, list(values)))

    def everywhere(self, value: tf.Tensor) -> tf.Tensor:
        """The sum over all replicas of what each process gives; called outside of a step."""
        return self._everywhere(value)

    def index(self) -> Any:
        """The number of the replica that asks."""
        return tf.distribute.get_replica_context().replica_id_in_sync_group if self.divided else 0

    def _summed_everywhere(self, value: tf.Tensor) -> tf.Tensor:
        # What comes from outside stands on no device, and only what stands on one can be summed.
        return self.first(self.run(lambda given: self.summed([tf.identity(given)])[0], [value] * self.local))


@contextlib.contextmanager
def left_to_us(optimizer: Any) -> Iterator[None]:
    """While a Keras optimizer is traced, what it must not do on a replica: sum gradients that are sums already, and choose.

    Keras clips before it sums (tensorflow#33929); here the sum comes first, and a second one would multiply it by the replicas.
    Nor can a replica decide by itself to put the moving average in place of the weights (keras#20582).
    """
    overwriting = optimizer.ema_overwrite_frequency
    keras.optimizers.Optimizer._all_reduce_sum_gradients = lambda self, pairs: list(pairs)
    optimizer.ema_overwrite_frequency = None
    try:
        yield
    finally:
        del keras.optimizers.Optimizer._all_reduce_sum_gradients
        optimizer.ema_overwrite_frequency = overwriting
