"""Implements `fit`, `evaluate` and `predict` on JAX: Keras's JAX trainer with kt2t's loss, step and logs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import keras
from jax import numpy as jnp

from kt2t.ops import randomness, whole_batch
from kt2t.training import rows
from kt2t.training.clipping import global_norm, innermost
from kt2t.training.parts import Part
from kt2t.training.passes import is_batches, is_endless
from kt2t.training.shared_trainer import SharedTrainer
from kt2t.training.state import Carry, are_statistics
from kt2t.training.watching import condition

State = tuple[list[Any], ...]


class Trainer(SharedTrainer):
    """A `keras.Model` that trains on whole batches: each loss is divided by the weights of the whole batch, on JAX.

    The gradient of the whole batch is clipped.

    Attributes:
        input_seconds: Seconds that training waited for batches since this attribute was last set to 0.
        step_seconds: Seconds spent on sending steps to the device.
        tokens_seen: Sum of the sample weights of all training steps.
    """

    input_seconds = 0.0
    step_seconds = 0.0
    train_function: Any

    def train_step(self, state: State, data: Any) -> tuple[dict[str, Any], State]:
        """Updates the state from one whole batch, unless a gradient is not finite; returns the logs and the new state.

        Args:
            state: The values of the trainable weights, other weights, optimizer variables and metrics, as lists.
            data: The batch as Keras passes it: x, (x, y) or (x, y, sample_weight).
        """
        trainable, non_trainable, slots, metrics = state
        inner = innermost(self.optimizer)
        iterations = _index(self.optimizer.variables, inner._iterations)
        step = slots[iterations]
        found = self._gradients(state, self._unpacked(data), step)
        gradients, new_state, new_metrics, sums = found
        with keras.StatelessScope(list(zip(self.optimizer.variables, slots, strict=True))):
            rate = jnp.asarray(self.optimizer.learning_rate)
            scale = self.optimizer.scale_loss(jnp.ones(()))
        norm = global_norm(gradients) / scale
        finite = jnp.isfinite(norm)
        clipped = self._clipping.clip(gradients, norm, scale)
        new_trainable, new_slots = self._applied(slots, clipped, trainable, step)
        scaling = self.optimizer is not inner  # a LossScaleOptimizer checks the gradients itself, and adapts its scale
        new_slots = new_slots if scaling else _chosen(finite, new_slots, slots)
        new_slots[iterations] = step + 1
        with self._measuring(_chosen(finite, new_metrics, metrics)) as scope:
            logs, _ = self._epoch_logs.of_training(sums, finite, step, norm, rate)
        new_non_trainable = list(non_trainable)  # a step changes few of them, and no frozen weight
        for place, value in new_state.items():
            new_non_trainable[place] = jnp.where(finite, value, non_trainable[place])
        return logs, (_chosen(finite, new_trainable, trainable), new_non_trainable, new_slots, self._measured(scope))

    def test_step(self, state: State, data: Any) -> tuple[dict[str, Any], State]:
        """Adds one whole batch to the losses and metrics of an evaluation; returns the logs so far and the new state.

        Args:
            state: The values of the trainable weights, other weights and metrics, as lists.
            data: The batch as Keras passes it: (x, y) or (x, y, sample_weight).
        """
        trainable, non_trainable, metrics = state
        data = self._unpacked(data)
        part = Part()
        with part.opened():
            found = self.compute_loss_and_updates(trainable, non_trainable, metrics, *data)
        _, (loss, y_pred, non_trainable, metrics) = found
        with self._measuring(metrics) as scope:
            self._update_metrics(data, y_pred)
            logs = self._epoch_logs.of_evaluation(self._epoch_logs.sums(part, loss, data))
        return logs, (trainable, non_trainable, self._measured(scope))

    def compute_loss_and_updates(
        self,
        trainable_variables: list[Any],
        non_trainable_variables: list[Any],
        metrics_variables: list[Any],
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: list[Any] | None = None,
    ) -> tuple[Any, tuple[Any, Any, list[Any], list[Any]]]:
        """Returns what Keras's method does; here the metrics of layers are updated too, which Keras drops.

        Args:
            trainable_variables: The values of the trainable weights.
            non_trainable_variables: The values of the other variables, without metrics.
            metrics_variables: The values of the variables of metrics.
            x, y, sample_weight: The batch.
            training: Passed to the model, if it takes it.
            optimizer_variables: The values of the optimizer's variables; needed in training.
        """
        variables = [*self.trainable_variables, *self.non_trainable_variables, *self.metrics_variables]
        values = [*trainable_variables, *non_trainable_variables, *metrics_variables]
        mode = {"training": training} if self._call_has_training_arg else {}
        with keras.StatelessScope(list(zip(variables, values, strict=True)), collect_losses=True) as scope:
            read = self._fed(x) if training else x
            y_pred = keras.Operation.__call__(self, read, **mode)  # the call alone, as in `stateless_call`
            loss = self._compute_loss(x, y, y_pred, sample_weight=sample_weight, training=training)
        others = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
        measured = self._measured(scope)
        scaled = loss
        if training and self.optimizer is not None:
            with keras.StatelessScope(list(zip(self.optimizer.variables, optimizer_variables or (), strict=True))):
                scaled = self.optimizer.scale_loss(loss)
        return scaled, (loss, y_pred, others, measured)

    def predict_step(self, state: State, data: Any) -> tuple[Any, Any]:
        """Returns the model's outputs for one whole batch, and the state that Keras expects with them."""
        return super().predict_step(state, (self._unpacked(data)[0],))

    def make_train_function(self, force: bool = False) -> None:
        if self.train_function is None or force:
            super().make_train_function(force)
            run = self.train_function

            def timed(state: State, iterator: Any) -> Any:
                # Before the step: an error after it would leave Keras with a state whose arrays the step has taken.
                # Before the first one Keras has no state to fall back on.
                if getattr(self, "_jax_state", None) is not None and self._watch.is_due(self.steps_per_execution):
                    self._judge_state(state[0], state[1], state[3])
                waiting = _Waiting(iterator)
                started = time.perf_counter()
                found = run(state, waiting)
                self.input_seconds += waiting.seconds
                self.step_seconds += time.perf_counter() - started - waiting.seconds
                for data in waiting.taken:
                    self._count_tokens(_total(self._unpacked(data)))
                return found

            self.train_function = timed

    def fit(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Trains as `keras.Model.fit` does. `x` and `validation_data` may also be `Batches`, kt2t's dataset of one split.

        Endless `Batches` start at the optimizer's step, so a second `fit` continues where the first one stopped.
        """
        x, options = self._for_fit(x, options)
        options["validation_data"] = _readable(options["validation_data"], one_pass=True)
        found = super().fit(_readable(x), *arguments, **options)
        self.check_numbers()
        return found

    def evaluate(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Evaluates as `keras.Model.evaluate` does. `x` may also be `Batches`, kt2t's dataset of one split, read once.

        Returns {} within a `fit` that a signal has stopped.
        """
        if self._ends_without_evaluation(options):
            return {}
        x, options = self._for_one_pass(x, options)
        return super().evaluate(_readable(x, one_pass=True), *arguments, **options)

    def predict(self, x: Any, *arguments: Any, **options: Any) -> Any:
        """Predicts as `keras.Model.predict` does. `x` may also be `Batches`, kt2t's dataset of one split, read once."""
        x, options = self._for_one_pass(x, options)
        return super().predict(_readable(x, one_pass=True), *arguments, **options)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compiles a function, which then reads the model's current weights at each call; used by decoding.

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

    def check_numbers(self) -> None:
        self.jax_state_sync()
        lists = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        self._judge_state(*([variable.value for variable in variables] for variables in lists))

    def _judge_state(self, trainable: list[Any], non_trainable: list[Any], metrics: list[Any]) -> None:
        if self._condition is None:
            object.__setattr__(self, "_condition", condition if self.run_eagerly else jax.jit(condition))
        latest = metrics[_index(self.metrics_variables, self._bad_steps.latest)]
        found = self._condition([*trainable, *non_trainable], latest)
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        with keras.StatelessScope(list(zip(variables, [*trainable, *non_trainable], strict=True))):
            self._judge(found)

    def _gradients(
        self, state: State, data: rows.Data, step: Any
    ) -> tuple[list[Any], dict[int, Any], list[Any], Any]:
        """Returns a whole batch's gradients, the changed state by index, the metrics after the batch, and its sums."""
        trainable, non_trainable, slots, metrics = state
        count = self._micro_batches
        if count == 1:
            return self._differentiated(state, data, step, 0, None)
        data = rows.filled(data, count)
        whole = self._objective.total_weights(data[1], data[2])
        rows_that_count = rows.number_that_count(data)
        changing = self._assigned(state, rows.share(data, 0, count), step, whole)
        variables = [self.non_trainable_variables[place] for place in changing]
        carry = Carry([non_trainable[place] for place in changing], are_statistics(variables, self))

        def body(number: Any, totals: Any) -> Any:
            gradients, carried, metrics, sums = totals
            part, before = rows.share(data, number, count), list(non_trainable)
            for place, value in zip(changing, carry.begin(carried), strict=True):
                before[place] = value
            found = self._differentiated((trainable, before, slots, metrics), part, step, number, whole)
            more, after, metrics, more_sums = found
            added = [total + one for total, one in zip(gradients, more, strict=True)]
            fraction = keras.ops.divide_no_nan(rows.number_that_count(part), rows_that_count)
            carried = carry.end(carried, [after[place] for place in changing], fraction)
            return added, carried, metrics, sums + more_sums

        zeros = [jnp.zeros_like(weight) for weight in trainable]
        start = (zeros, carry.start(), list(metrics), jnp.zeros(self._epoch_logs.width))
        gradients, carried, metrics, sums = jax.lax.fori_loop(0, count, body, start)
        return gradients, dict(zip(changing, carry.after(carried), strict=True)), metrics, sums

    def _differentiated(
        self, state: State, data: rows.Data, step: Any, micro_batch: Any, whole: list[Any] | None
    ) -> tuple[list[Any], dict[int, Any], list[Any], Any]:
        """Returns the same values as `_gradients` for one part of a batch."""
        trainable, non_trainable, slots, metrics = state
        changing: list[int] = []

        def share(trainable: list[Any]) -> Any:
            part = Part(whole, self._micro_batches)
            with part.opened(), whole_batch.showing(rows.that_count(data[2])):
                scaled, (loss, y_pred, others, measured) = self.compute_loss_and_updates(
                    trainable, non_trainable, metrics, *data, training=True, optimizer_variables=slots
                )
            changing[:] = [i for i, (now, then) in enumerate(zip(others, non_trainable, strict=True)) if now is not then]
            others = [others[place] for place in changing]
            return part.share_of(scaled), (y_pred, others, measured, self._epoch_logs.sums(part, loss, data))

        with randomness.root(self._seed, step, 0, micro_batch):
            (_, found), gradients = jax.value_and_grad(share, has_aux=True)(trainable)
        y_pred, others, metrics, sums = found
        if self._metrics_in_training:
            with self._measuring(metrics) as scope:
                self._update_metrics(data, y_pred)
            metrics = self._measured(scope)
        return gradients, dict(zip(changing, others, strict=True)), metrics, sums

    def _assigned(self, state: State, data: rows.Data, step: Any, whole: list[Any]) -> list[int]:
        """Traces one part of a batch, only to find and return the indices of the state that it changes."""
        found: list[int] = []

        def traced(state: State, data: rows.Data) -> None:
            found[:] = self._differentiated(state, data, step, 0, whole)[1]

        jax.eval_shape(traced, state, data)
        return found

    def _applied(
        self, slots: list[Any], gradients: list[Any], trainable: list[Any], step: Any
    ) -> tuple[list[Any], list[Any]]:
        """Returns the weights and the optimizer's variables after the update."""
        inner = innermost(self.optimizer)
        every, inner.ema_overwrite_frequency = inner.ema_overwrite_frequency, None
        try:
            weights, new_slots = self.optimizer.stateless_apply(slots, gradients, trainable)
        finally:
            inner.ema_overwrite_frequency = every
        if inner.use_ema and every:  # Keras would assign inside a condition, which JAX cannot
            due = (step + 1) % every == 0
            for place, average in enumerate(inner._model_variables_moving_average):
                if average is not None:
                    mean = new_slots[_index(self.optimizer.variables, average)]
                    weights[place] = jnp.where(due, mean, weights[place])
        return weights, new_slots

    def _measuring(self, metrics: list[Any]) -> keras.StatelessScope:
        """Returns a scope in which the metrics have these values."""
        return keras.StatelessScope(list(zip(self.metrics_variables, metrics, strict=True)))

    def _measured(self, scope: keras.StatelessScope) -> list[Any]:
        """Returns the values of the metrics at the end of a scope."""
        return [scope.get_current_value(variable) for variable in self.metrics_variables]


class _Waiting:
    """Wraps an iterator; records the seconds spent waiting for items, and the items."""

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


def _total(data: rows.Data) -> Any:
    """Sums the weights of a batch as `parts.tokens` does, without waiting for the device."""
    x, y, sample_weight = data
    count = len(jax.tree.leaves((y, x))[0])
    return sum(count if one is None else one.sum() for one in keras.tree.flatten(sample_weight))


class _Passes(keras.utils.PyDataset):
    """Lets Keras read one pass over kt2t's `Batches` by index, any number of times; a generator can be read only once."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self._batches = batches
        self._left: Iterator[Any] = iter(())
        self._next = -1

    def __len__(self) -> int:
        start = 0 if is_endless(self._batches) else getattr(self._batches, "start", 0)
        return len(self._batches) - start

    def __getitem__(self, index: int) -> Any:
        if index == 0 or index != self._next:  # else continue the open iterator, which reads ahead
            self._left = itertools.islice(self._batches, index, None)
        self._next = index + 1
        return next(self._left)


def _readable(data: Any, one_pass: bool = False) -> Any:
    """Wraps kt2t's `Batches` so that Keras can read them; returns other data unchanged."""
    if not is_batches(data):
        return data
    ends = hasattr(data, "__len__") and (one_pass or not getattr(data, "repeat", True))
    return _Passes(data) if ends else (batch for batch in data)
