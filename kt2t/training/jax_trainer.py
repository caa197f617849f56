"""`compile` and `fit` on JAX: Keras's JAX trainer with the loss, the step and the reports of kt2t."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import keras
from jax import numpy as jnp

from kt2t.ops import randomness
from kt2t.training.clipping import global_norm, innermost
from kt2t.training.compiling import Compiled, epochs_of
from kt2t.training.normalisation import share

State = tuple[list[Any], ...]


class Trainer(Compiled):
    """A `keras.Model` whose `compile`, `fit` and `evaluate` weight, normalise and clip as the design says.

    Attributes:
        input_seconds: Time that training waited for batches since it was last set to 0.
        step_seconds: Time spent in giving the steps to the device.
        tokens_seen: Summed sample weights of all training steps.
    """

    input_seconds = 0.0
    step_seconds = 0.0
    train_function: Any

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        sums = self._objective.sums(y, y_pred, sample_weight) if y is not None else []
        extra = self._extra_loss()
        self._loss_tracker.record(sums, extra, only_finite=training)
        parts = [share(sums, self._objective.coefficients, lambda weight: weight)] if sums else []
        parts += [extra] if extra is not None else []
        return sum(parts[1:], parts[0]) if parts else jnp.zeros(())

    def train_step(self, state: State, data: Any) -> tuple[dict[str, Any], State]:
        trainable, non_trainable, slots, metrics = state
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        iterations = _index(self.optimizer.variables, innermost(self.optimizer)._iterations)
        with randomness.root(self._seed, slots[iterations]):
            (_, aux), gradients = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)(
                trainable, non_trainable, metrics, x, y, sample_weight, training=True, optimizer_variables=slots
            )
        loss, y_pred, new_non_trainable, metrics = aux
        with keras.StatelessScope(list(zip(self.optimizer.variables, slots, strict=True))):
            rate = jnp.asarray(self.optimizer.learning_rate)
            scale = self.optimizer.scale_loss(jnp.ones(()))
        norm = global_norm(gradients) / scale
        finite = jnp.isfinite(norm)
        clipped = self._clipping.clip(gradients, norm, scale)
        new_trainable, new_slots = self.optimizer.stateless_apply(slots, clipped, trainable)
        scaling = self.optimizer is not innermost(self.optimizer)  # then it looks for itself, and learns from it
        new_slots = new_slots if scaling else _chosen(finite, new_slots, slots)
        new_slots[iterations] = slots[iterations] + 1
        logs, metrics = self._reported(metrics, loss, y, y_pred, sample_weight, finite)
        report = {"gradient_norm": norm, "learning_rate": rate}
        state = (_chosen(finite, new_trainable, trainable), _chosen(finite, new_non_trainable, non_trainable))
        return {**logs, **report}, (*state, new_slots, metrics)

    def test_step(self, state: State, data: Any) -> tuple[dict[str, Any], State]:
        trainable, non_trainable, metrics = state
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        _, (loss, y_pred, non_trainable, metrics) = self.compute_loss_and_updates(
            trainable, non_trainable, metrics, x, y, sample_weight, training=False
        )
        logs, metrics = self._reported(metrics, loss, y, y_pred, sample_weight, None)
        return logs, (trainable, non_trainable, metrics)

    def make_train_function(self, force: bool = False) -> None:
        if self.train_function is None or force:
            super().make_train_function(force)
            run = self.train_function

            def timed(state: State, iterator: Any) -> Any:
                # Before the step: an error after it would leave Keras with a state whose arrays the step has taken.
                self._watch(lambda: state[3][_index(self.metrics_variables, self._bad_steps.row)])
                waiting = _Waiting(iterator)
                started = time.perf_counter()
                found = run(state, waiting)
                self.input_seconds += waiting.seconds
                self.step_seconds += time.perf_counter() - started - waiting.seconds
                self._tokens_unread += [_total(data) for data in waiting.taken]
                return found

            self.train_function = timed

    def fit(self, x: Any = None, *arguments: Any, validation_data: Any = None, **options: Any) -> Any:
        """Trains as `keras.Model.fit` does; `x` and `validation_data` may also be kt2t's `Batches`."""
        options = {**epochs_of(x), **options}
        return super().fit(_readable(x), *arguments, validation_data=_readable(validation_data), **options)

    def evaluate(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Evaluates as `keras.Model.evaluate` does; `x` may also be kt2t's `Batches`."""
        return super().evaluate(_readable(x), *arguments, **options)

    def predict(self, x: Any, *arguments: Any, **options: Any) -> Any:
        """Predicts as `keras.Model.predict` does; `x` may also be kt2t's `Batches`."""
        return super().predict(_readable(x), *arguments, **options)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as one compiled computation that reads the model's weights anew at every call; used by decoding.

        Args:
            function: Takes nests of arrays, positional only, and returns such a nest.
        """
        if self.run_eagerly:
            return function

        @jax.jit
        def pure(values: list[Any], arguments: tuple[Any, ...]) -> Any:
            with keras.StatelessScope(list(zip(self.variables, values, strict=True))):
                return function(*arguments)

        return lambda *arguments: pure([variable.value for variable in self.variables], arguments)

    def _reported(
        self, metrics: list[Any], loss: Any, y: Any, y_pred: Any, sample_weight: Any, finite: Any
    ) -> tuple[dict[str, Any], list[Any]]:
        """The logs of a step, and the values of the metrics after it; `finite` is None in evaluation."""
        with keras.StatelessScope(list(zip(self.metrics_variables, metrics, strict=True))) as scope:
            self._loss_tracker.update_state(loss)
            wanted = finite is None or self._metrics_in_training
            if wanted and self._compile_metrics is not None:
                self._compile_metrics.update_state(y, y_pred, sample_weight)
            logs = self._results(wanted)
            if finite is not None:
                self._bad_steps.update_state(finite)
                logs["bad_steps"] = self._bad_steps.result()
            return logs, [scope.get_current_value(variable) for variable in self.metrics_variables]


class _Waiting:
    """An iterator that knows how long it was waited for, and what was taken from it."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self.seconds = 0.0
        self.taken: list[Any] = []

    def __iter__(self) -> _Waiting:
        return self

    def __next__(self) -> Any:
        started = time.perf_counter()
        try:
            self.taken.append(next(self._iterator))
            return self.taken[-1]
        finally:
            self.seconds += time.perf_counter() - started


def _index(variables: list[Any], wanted: Any) -> int:
    return next(index for index, variable in enumerate(variables) if variable is wanted)


def _chosen(condition: Any, new: list[Any], old: list[Any]) -> list[Any]:
    return [jnp.where(condition, one, other) for one, other in zip(new, old, strict=True)]


def _total(data: Any) -> Any:
    """The summed weights of a batch: of its rows where it has no weights. A number of the device is not waited for."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is None:
        return len(jax.tree.leaves((y, x))[0])
    return sum(one.sum() for one in jax.tree.leaves(sample_weight))


class _Passes(keras.utils.PyDataset):
    """Kt2t's finite `Batches` by number, which Keras can read again and again; a generator is spent after one pass."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self._batches = batches
        self._left: Iterator[Any] = iter(())
        self._next = -1

    def __len__(self) -> int:
        return len(self._batches) - getattr(self._batches, "start", 0)

    def __getitem__(self, index: int) -> Any:
        if index == 0 or index != self._next:  # else it follows, and is being read ahead
            self._left = itertools.islice(self._batches, index, None)
        self._next = index + 1
        return next(self._left)


def _readable(data: Any) -> Any:
    """What Keras reads instead of kt2t's `Batches`; anything else as it is."""
    if not callable(getattr(data, "dataset", None)):
        return data
    return (batch for batch in data) if getattr(data, "repeat", True) else _Passes(data)
