"""Computes the gradients of a whole batch on TensorFlow, over replicas (copies on devices) and micro-batches."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kt2t.ops import randomness, whole_batch
from kt2t.ops.collected import Collected
from kt2t.training import rows
from kt2t.training.clipping import global_norm
from kt2t.training.parts import Part
from kt2t.training.state import Carry, are_statistics


class Gradients:
    """Mix-in of TensorFlow's `Trainer` that computes the gradients, sums and changed state of a batch on one replica.

    It assigns to no variables except those of the metrics.
    """

    replicas: Any
    optimizer: Any
    trainable_weights: Any
    _objective: Any
    _epoch_logs: Any
    _clipping: Any
    _compile_metrics: Any
    _update_metrics: Any
    _compute_loss: Any
    _fed: Any
    _call_has_training_arg: bool
    _metrics_in_training: bool
    _micro_batches: int
    _seed: int
    __call__: Any

    def _gradients(
        self, data: rows.Data, step: tf.Tensor
    ) -> tuple[list[Any], tf.Tensor, list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
        """Returns, on one replica, the clipped gradients of the whole batch, its sums, the values of the state after it
        (`_changing` lists the variables), the values of the metrics before it, and the norm of the gradient."""
        whole = rows_that_count = None
        if self.replicas.count * self._micro_batches > 1:
            weights = self._objective.total_weights(data[1], data[2])
            *whole, rows_that_count = self.replicas.summed([*weights, rows.number_that_count(data)])
        if self._micro_batches == 1:
            scope = Collected()
            gradients, sums, y_pred = self._differentiated(data, step, 0, whole, scope)
            self._make_metrics(data, y_pred)
            measured = self._metrics_now()
            if self._metrics_in_training:
                self._update_metrics(data, y_pred)
            state = self._state_after(scope, data, rows_that_count)
        else:
            measured = self._metrics_now()
            gradients, sums, state = self._accumulated(data, step, whole, rows_that_count)
        known = [number for number, gradient in enumerate(gradients) if gradient is not None]
        *summed, sums = self.replicas.summed([*(gradients[number] for number in known), sums])
        gradients = [None] * len(gradients)
        for number, gradient in zip(known, summed, strict=True):
            gradients[number] = gradient
        scale = self.optimizer.scale_loss(tf.ones(()))
        norm = global_norm(gradients) / scale
        return self._clipping.clip(gradients, norm, scale), sums, state, measured, norm

    def _accumulated(
        self, data: rows.Data, step: tf.Tensor, whole: list[Any] | None, rows_that_count: tf.Tensor
    ) -> tuple[list[Any], tf.Tensor, list[tf.Tensor]]:
        """Returns the summed gradients, the sums and the state of a replica's micro-batches. They run one after the other,
        so that only one is in memory."""
        missing: list[int] = []
        changing = self._assigned(rows.share(data, 0, self._micro_batches), step, whole)
        carry = self._carry(changing)

        def body(number: tf.Tensor, totals: list[Any], sums: tf.Tensor, state: list[Any]) -> tuple[Any, ...]:
            part = rows.share(data, number, self._micro_batches)
            scope = Collected(list(zip(changing, carry.begin(state), strict=True)))
            gradients, more, y_pred = self._differentiated(part, step, number, whole, scope)
            if self._metrics_in_training:
                self._update_metrics(part, y_pred)
            missing[:] = [place for place, gradient in enumerate(gradients) if gradient is None]
            totals = [total if one is None else total + one for total, one in zip(totals, gradients, strict=True)]
            fraction = tf.math.divide_no_nan(rows.number_that_count(part), rows_that_count)
            return number + 1, totals, sums + more, carry.end(state, scope.values(changing), fraction)

        zeros = [tf.zeros(weight.shape, weight.dtype) for weight in self.trainable_weights]
        start = (tf.constant(0), zeros, tf.zeros((self._epoch_logs.width,)), carry.start())
        _, totals, sums, state = tf.while_loop(
            lambda number, *_: number < self._micro_batches, body, start, parallel_iterations=1
        )
        state = carry.after(state, self.replicas.summed)
        return [None if place in missing else total for place, total in enumerate(totals)], sums, state

    def _differentiated(
        self, data: rows.Data, step: tf.Tensor, micro_batch: Any, whole: list[Any] | None, scope: Collected
    ) -> tuple[list[Any], tf.Tensor, Any]:
        """Returns the gradients of a part of a batch, its sums, and the outputs of the model.

        The gradients are dense, so that a norm does not count repeated rows of a sparse gradient separately.

        Args:
            scope: Collects the state that the model changes.
        """
        variables = self.trainable_weights
        with tf.GradientTape() as tape:
            y_pred, loss, sums = self._forward(data, step, micro_batch, whole, scope)
            scaled = self.optimizer.scale_loss(loss)
        gradients = [None if one is None else tf.convert_to_tensor(one) for one in tape.gradient(scaled, variables)]
        return gradients, sums, y_pred

    def _forward(
        self, data: rows.Data, step: tf.Tensor, micro_batch: Any, whole: list[Any] | None, scope: Collected
    ) -> tuple[Any, Any, tf.Tensor]:
        """Returns the model's outputs for a part of a batch, the part's share of the loss, and its sums."""
        root = randomness.root(self._seed, step, self.replicas.index(), micro_batch)
        # In a loop over micro-batches TensorFlow cannot sum over replicas.
        total = self.replicas.summed if self.replicas.divided and self._micro_batches == 1 else None
        with root, whole_batch.showing(rows.that_count(data[2]), total), scope:
            x = self._fed(data[0])
            y_pred = self(x, training=True) if self._call_has_training_arg else self(x)
            loss, sums = self._summed_loss(data, y_pred, True, whole)
        return y_pred, loss, sums

    def _assigned(self, data: rows.Data, step: tf.Tensor, whole: list[Any] | None) -> list[Any]:
        """Traces the forward pass, only to find and return the variables that it assigns to."""
        scope = Collected()
        forward = tf.function(lambda: self._forward(data, step, 0, whole, scope)[1], autograph=False)
        forward.get_concrete_function()
        return scope.variables

    def _carry(self, changing: list[Any]) -> Carry:
        object.__setattr__(self, "_changing", changing)
        before = [tf.identity(tf.convert_to_tensor(variable)) for variable in changing]
        return Carry(before, are_statistics(changing, self))

    def _state_after(self, scope: Collected, data: rows.Data, rows_that_count: tf.Tensor | None) -> list[tf.Tensor]:
        """Returns the new values of the variables that the forward pass assigned to, for a step of one micro-batch."""
        if rows_that_count is None:
            object.__setattr__(self, "_changing", scope.variables)
            return scope.values(scope.variables)
        carry = self._carry(scope.variables)
        fraction = tf.math.divide_no_nan(rows.number_that_count(data), rows_that_count)
        return carry.after(carry.end(carry.start(), scope.values(scope.variables), fraction), self.replicas.summed)

    def _summed_loss(
        self, data: rows.Data, y_pred: Any, training: bool, whole: list[Any] | None
    ) -> tuple[Any, tf.Tensor]:
        """Returns a part's share of the loss, and its sums in one vector."""
        x, y, sample_weight = data
        count = self.replicas.count * (self._micro_batches if training else 1)
        side_by_side = count == self.replicas.count
        part = Part(whole, count, (lambda weight: self.replicas.summed([weight])[0]) if side_by_side else None)
        with part.opened():
            loss = self._compute_loss(x, y, y_pred, sample_weight, training=training)
        return part.share_of(loss), self._epoch_logs.sums(part, loss, data)

    def _metric_variables(self) -> list[Any]:
        """Returns the variables of the metrics that training computes."""
        metrics = self._compile_metrics if self._metrics_in_training else None
        return [] if metrics is None else list(metrics.variables)

    def _make_metrics(self, data: rows.Data, y_pred: Any) -> None:
        """Makes the variables of the metrics now; Keras would make them in their first update, which is too late."""
        if self._metrics_in_training and self._compile_metrics is not None and not self._compile_metrics.built:
            tf.function(self._update_metrics, autograph=False).get_concrete_function(data, y_pred)

    def _metrics_now(self) -> list[tf.Tensor]:
        return [tf.identity(variable) for variable in self._metric_variables()]
