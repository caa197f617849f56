"""`compile` and `fit` on TensorFlow: the step, what comes around it, and what it reports."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from kt2t.errors import RecipeError
from kt2t.ops import randomness
from kt2t.training.clipping import global_norm, innermost
from kt2t.training.compiling import Compiled, epochs_of
from kt2t.training.normalisation import share

_TOKENS = "_tokens"
Step = Callable[[Iterator[Any]], tuple[Any, float]]  # the logs, and the seconds that the data was waited for


class Trainer(Compiled):
    """A `keras.Model` whose `compile`, `fit` and `evaluate` weight, normalise and clip as the design says.

    Attributes:
        input_seconds: Time that training waited for batches since it was last set to 0.
        step_seconds: Time spent in the steps themselves.
        tokens_seen: Summed sample weights of all training steps.
    """

    input_seconds = 0.0
    step_seconds = 0.0
    train_function: Any
    test_function: Any

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        sums = self._objective.sums(y, y_pred, sample_weight) if y is not None else []
        extra = self._extra_loss()
        self._loss_tracker.record(sums, extra, only_finite=training)
        parts = [share(sums, self._objective.coefficients, self._over_replicas)] if sums else []
        parts += [extra] if extra is not None else []
        if not parts:
            raise ValueError("loss: there is none. Give `compile` a loss or let a layer call `add_loss`.")
        return sum(parts[1:], parts[0])

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        step = tf.identity(innermost(self.optimizer)._iterations)
        # Before the forward pass, which moves the statistics of batch norm. A tensor shares a variable's memory until then.
        statistics = [(variable, tf.identity(variable)) for variable in self.non_trainable_weights]
        with randomness.root(self._seed, step), tf.GradientTape() as tape:
            y_pred = self(x, training=True) if self._call_has_training_arg else self(x)
            loss = self._compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        self._loss_tracker.update_state(loss)
        variables = self.trainable_weights
        gradients = self._summed_over_replicas(tape.gradient(scaled, variables))
        report = self._update(gradients, variables, step, statistics)
        if self._metrics_in_training and self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return {**self._results(self._metrics_in_training), **report, _TOKENS: _total(sample_weight, y, x)}

    def test_step(self, data: Any) -> dict[str, Any]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False) if self._call_has_training_arg else self(x)
        loss = self._compute_loss(x, y, y_pred, sample_weight, training=False)
        self._loss_tracker.update_state(loss)
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self._results(True)

    def make_train_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        if self.train_function is None or force:
            self._refuse_replicas()
            if self.built and self.optimizer is not None:
                self._build_optimizer(self.trainable_weights)
            self.train_function = self._timed(_loop(self._compiled_step(self.train_step), self.steps_per_execution))
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        if self.test_function is None or force:
            self._refuse_replicas()
            run = _loop(self._compiled_step(self.test_step), self.steps_per_execution)
            self.test_function = lambda iterator: run(iterator)[0]
        return self.test_function

    def fit(self, x: Any = None, *arguments: Any, validation_data: Any = None, **options: Any) -> Any:
        """Trains as `keras.Model.fit` does; `x` and `validation_data` may also be kt2t's `Batches`."""
        options = {**epochs_of(x), **options}
        data = _dataset(x)
        if isinstance(data, tf.data.Dataset):
            options.setdefault("shuffle", False)
        with _reading(x, validation_data):
            return super().fit(data, *arguments, validation_data=_dataset(validation_data), **options)

    def evaluate(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Evaluates as `keras.Model.evaluate` does; `x` may also be kt2t's `Batches`."""
        with _reading(x):
            return super().evaluate(_dataset(x), *arguments, **options)

    def predict(self, x: Any, *arguments: Any, **options: Any) -> Any:
        """Predicts as `keras.Model.predict` does; `x` may also be kt2t's `Batches`."""
        with _reading(x):
            return super().predict(_dataset(x), *arguments, **options)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as one graph that reads the model's weights anew at every call; used by decoding.

        Args:
            function: Takes nests of tensors, positional only, and returns such a nest.
        """
        return function if self.run_eagerly else tf.function(function, reduce_retracing=True, autograph=False)

    def _update(
        self, gradients: list[Any], variables: list[Any], step: tf.Tensor, statistics: list[tuple[Any, tf.Tensor]]
    ) -> dict[str, Any]:
        """Checks, clips and applies the gradients of the whole batch; a step that is not finite changes nothing.

        Args:
            statistics: The weights that are not trained, each with its value before the step.
        """
        optimizer = self.optimizer
        self._build_optimizer(variables)
        rate = tf.identity(optimizer.learning_rate)
        scale = optimizer.scale_loss(tf.ones(()))
        norm = global_norm(gradients) / scale
        finite = tf.math.is_finite(norm)
        clipped = self._clipping.clip(gradients, norm, scale)

        def apply() -> None:
            optimizer.apply(clipped, variables)

        def restore() -> None:
            for variable, value in statistics:
                variable.assign(value)

        if optimizer is innermost(optimizer):
            tf.cond(finite, apply, lambda: None)
        else:  # a LossScaleOptimizer looks for itself, and learns from what it sees
            apply()
        if statistics:
            tf.cond(finite, lambda: None, restore)
        innermost(optimizer)._iterations.assign(step + 1)
        self._bad_steps.update_state(finite)
        return {"gradient_norm": norm, "learning_rate": rate, "bad_steps": self._bad_steps.result()}

    def _build_optimizer(self, variables: list[Any]) -> None:
        if not self.optimizer.built:
            self.optimizer.build(variables)

    def _over_replicas(self, weight: Any) -> Any:
        """The weight of all replicas."""
        return weight

    def _summed_over_replicas(self, gradients: list[Any]) -> list[Any]:
        """The gradients of all replicas, dense: an embedding's repeated rows must be one before their norm is taken."""
        return [gradient if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]

    def _refuse_replicas(self) -> None:
        count = self.distribute_strategy.num_replicas_in_sync
        if count > 1:
            raise RecipeError(
                f"training on {count} replicas is not built yet. Use none, or auto.", path="train.strategy"
            )

    def _compiled_step(self, step: Callable[[Any], Any]) -> Step:
        """`step` on the next batch of an iterator: one graph for each structure of batches, whatever their lengths."""
        graphs: dict[Any, Callable[[Any], Any]] = {}

        def graph(spec: Any) -> Callable[[Any], Any]:
            options = {"jit_compile": bool(self.jit_compile), "autograph": False}
            if spec is None or not all(isinstance(one, tf.TensorSpec) for one in tf.nest.flatten(spec)):
                return tf.function(step, reduce_retracing=True, **options)
            return tf.function(step, input_signature=(spec,), **options)

        def next_step(iterator: Iterator[Any]) -> tuple[Any, float]:
            started = time.perf_counter()
            data = _without_optionals(next(iterator))
            waited = time.perf_counter() - started
            if self.run_eagerly:
                return self._counted(step(data)), waited
            spec = getattr(iterator, "element_spec", None)
            key = None if spec is None else repr(spec)
            if key not in graphs:
                graphs[key] = graph(spec)
            return self._counted(graphs[key](data)), waited

        return next_step

    def _counted(self, logs: dict[str, Any]) -> dict[str, Any]:
        """The logs without the step's tokens, which are kept until somebody asks: reading one waits for its step."""
        if _TOKENS in logs:
            self._tokens_unread.append(logs.pop(_TOKENS))
        return logs

    def _timed(self, run: Step) -> Callable[[Iterator[Any]], Any]:
        def timed(iterator: Iterator[Any]) -> Any:
            started = time.perf_counter()
            logs, waited = run(iterator)
            self.input_seconds += waited
            self.step_seconds += time.perf_counter() - started - waited
            self._watch(lambda: self._bad_steps.row)
            return logs

        return timed


def _loop(step: Step, count: int) -> Step:
    """`count` steps in one call, fewer where the data ends; the first one lets `StopIteration` through."""

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


def _total(sample_weight: Any, y: Any, x: Any) -> tf.Tensor:
    """The summed weights of a batch: of its rows where it has no weights."""
    if sample_weight is None:
        return tf.cast(tf.shape(tf.nest.flatten(x if y is None else y)[0])[0], tf.float32)
    return tf.add_n([tf.reduce_sum(tf.cast(one, tf.float32)) for one in tf.nest.flatten(sample_weight)])


def _dataset(data: Any) -> Any:
    """The `tf.data.Dataset` of kt2t's `Batches`; anything else as it is."""
    return data.dataset() if callable(getattr(data, "dataset", None)) else data


@contextlib.contextmanager
def _reading(*given: Any) -> Iterator[None]:
    """Lets what kept kt2t's `Batches` from giving a batch out as itself, not as TensorFlow's error about a function."""
    try:
        yield
    except tf.errors.OpError:
        for data in given:
            if getattr(data, "failure", None) is not None:
                raise data.failure from None
        raise


def _without_optionals(data: Any) -> Any:
    """Keras's generator adapter passes a missing sample weight as an empty Optional."""
    return tf.nest.map_structure(lambda one: None if isinstance(one, tf.experimental.Optional) else one, data)
