"""Implements `fit`, `evaluate` and `predict` on TensorFlow, for any number of replicas and micro-batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from kt2t.errors import RecipeError
from kt2t.training import rows
from kt2t.training.clipping import innermost
from kt2t.training.graph import as_graph
from kt2t.training.replicas import Replicas, left_to_us
from kt2t.training.shared_trainer import SharedTrainer
from kt2t.training.stepping import Step, compiled_step, raising_data_errors, readable, several
from kt2t.training.tensorflow_gradients import Gradients
from kt2t.training.watching import condition

_TOKENS = "_tokens"


class Trainer(Gradients, SharedTrainer):
    """A `keras.Model` that trains on whole batches: each loss is divided by the weights of the whole batch, on TensorFlow.

    The gradient of the whole batch is clipped. A model made in the scope of a `tf.distribute` strategy trains on all
    its replicas. Each step takes one batch and splits the rows among the replicas. The results equal those of one
    device, to float32 rounding. Keras's own distribution is not used (keras#20582, keras#20585, keras#19246).

    Attributes:
        input_seconds: Seconds that training waited for batches since this attribute was last set to 0.
        step_seconds: Seconds spent in training steps, without this waiting.
        tokens_seen: Sum of the sample weights of all training steps.
    """

    input_seconds = 0.0
    step_seconds = 0.0
    train_function: Any
    test_function: Any
    predict_function: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        object.__setattr__(self, "_replicas", Replicas(tf.distribute.get_strategy()))
        for name, value in {"_shares_data": True, "_heard": None}.items():
            object.__setattr__(self, name, value)

    @property
    def replicas(self) -> Replicas:
        """The `Replicas` that train this model: copies on the devices of the strategy, or a single one."""
        return self._replicas

    @property
    def workers(self) -> int:
        return int(self.replicas.workers)

    @property
    def distribute_strategy(self) -> Any:
        """A stand-in strategy for Keras that gives each worker its rows of a batch; the step splits them among replicas."""
        workers = (self.replicas.workers, self.replicas.worker) if self._shares_data else (1, 0)
        return _Workers(*workers, self._unpacked)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Updates the weights from one whole batch, unless a gradient is not finite; returns the logs and the batch's tokens.

        Args:
            data: The batch as Keras passes it: x, (x, y) or (x, y, sample_weight).
        """
        step = tf.identity(innermost(self.optimizer)._iterations)
        found = self.replicas.run(self._gradients, self._shares(data, self._micro_batches), step)
        gradients, sums, state, measured, norm = found
        finite = tf.math.is_finite(self.replicas.first(norm))
        rate = tf.identity(self.optimizer.learning_rate)
        if state or self._metric_variables():
            tf.cond(
                finite,
                lambda: self.replicas.again(self._assign_state, state),
                lambda: self.replicas.again(self._restore, measured),
            )
        self._apply(gradients, finite, step)
        sums, norm = self.replicas.first((sums, norm))
        logs, tokens = self._epoch_logs.of_training(sums, finite, step, norm, rate)
        return {**logs, _TOKENS: tokens}

    def test_step(self, data: Any) -> dict[str, Any]:
        """Adds one whole batch to the losses and metrics of an evaluation, and returns the logs of the evaluation so far.

        Args:
            data: The batch as Keras passes it: (x, y) or (x, y, sample_weight).
        """
        sums = self.replicas.run(self._measured, self._shares(data, 1))
        return self._epoch_logs.of_evaluation(self.replicas.first(sums))

    def make_train_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        if self.train_function is None or force:
            if self.built and self.optimizer is not None:
                self._build_optimizer(self.trainable_weights)
            step = self._step(self.train_step, self._prepare)
            self.train_function = self._timed(several(self._counted(step), self.steps_per_execution))
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        if self.test_function is None or force:
            step = self._step(self.test_step, self._prepare)
            run = several(step, self.steps_per_execution)

            def measured(iterator: Iterator[Any]) -> Any:
                logs, _ = run(iterator)
                self.agree_on_stop()  # the next batch may have a new shape, and tracing it takes as long as many batches
                return logs

            self.test_function = measured
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Callable[[list[Any]], Any]:
        if self.predict_function is None or force:
            step = self._step(self._predicted, lambda data: None)

            def run(batches: list[Any]) -> Any:
                found = [step(iter([data]))[0] for data in batches]
                return tf.nest.map_structure(lambda *each: tf.concat(each, 0), *found) if len(found) > 1 else found[0]

            self.predict_function = run
        return self.predict_function

    def fit(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Trains as `keras.Model.fit` does. `x` and `validation_data` may also be `Batches`, kt2t's dataset of one split.

        Endless `Batches` start at the optimizer's step, so a second `fit` continues where the first one stopped.
        """
        x, options = self._for_fit(x, options)
        data = self._readable(x)
        if isinstance(data, tf.data.Dataset):
            options.setdefault("shuffle", False)
        validation = options.pop("validation_data")
        with raising_data_errors(x, validation):
            found = super().fit(data, *arguments, validation_data=self._readable(validation), **options)
        self.check_numbers()
        return found

    def evaluate(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Evaluates as `keras.Model.evaluate` does. `x` may also be `Batches`, kt2t's dataset of one split, read once.

        Returns {} within a `fit` that a signal has stopped.
        """
        if self._ends_without_evaluation(options):
            return {}
        x, options = self._for_one_pass(x, options)
        with raising_data_errors(x):
            return super().evaluate(self._readable(x), *arguments, **options)

    def predict(self, x: Any, *arguments: Any, **options: Any) -> Any:
        """Predicts as `keras.Model.predict` does. `x` may also be `Batches`, kt2t's dataset of one split, read once.

        Every worker predicts all rows.
        """
        x, options = self._for_one_pass(x, options)
        object.__setattr__(self, "_shares_data", False)
        try:
            with raising_data_errors(x):
                return super().predict(readable(x), *arguments, **options)
        finally:
            object.__setattr__(self, "_shares_data", True)

    def check_numbers(self) -> None:
        if self._condition is None:
            found = self._compiled(lambda: condition(self.weights, self._bad_steps.latest))
            object.__setattr__(self, "_condition", found)
        self._judge(self._condition())

    def _scope(self) -> Any:
        return self.replicas.scope()

    def _check_compilation(self, jit_compile: bool | str) -> None:
        if self.replicas.on_tpu:
            return
        if jit_compile is True and self.replicas.divided and not tf.config.list_logical_devices("GPU"):
            raise RecipeError(
                f"XLA cannot compile a step for {self.replicas.count} replicas on processors. Leave it out, or use one "
                "device.",
                path="train.jit_compile",
            )

    def _check_optimizer(self, optimizer: Any) -> None:
        super()._check_optimizer(optimizer)
        if optimizer is not None and optimizer._distribution_strategy is not self.replicas.strategy:
            raise RecipeError(
                "was made for other devices than the model. Make both within the scope of the same strategy.",
                path="optimizer",
            )

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compiles a function to a graph that reads the model's current weights at each call; used by decoding.

        Args:
            function: Takes nests of tensors, positional only, and returns such a nest.
        """
        return function if self.run_eagerly else as_graph(function, reduce_retracing=True)

    def _step(self, step: Callable[[Any], Any], prepare: Callable[[Any], None]) -> Step:
        # On a TPU XLA compiles a replica's function, and cannot compile the code around it.
        on_tpu = self.replicas.on_tpu
        compile_all = bool(self.jit_compile) and not on_tpu
        return compiled_step(step, self.run_eagerly, compile_all, prepare, fixed_shapes=compile_all or on_tpu)

    def _shares(self, data: Any, micro_batches: int) -> list[rows.Data]:
        """Returns equal shares of a batch's rows, one per local replica; `micro_batches` divides their number of rows."""
        local = self.replicas.local
        whole = rows.filled(self._unpacked(data), local * micro_batches)
        return [rows.share(whole, place, local) for place in range(local)]

    def _measured(self, data: rows.Data) -> tf.Tensor:
        """Evaluates one replica's share, and returns the sums over the whole batch."""
        y_pred = self(data[0], training=False) if self._call_has_training_arg else self(data[0])
        _, sums = self._summed_loss(data, y_pred, False, None)
        self._update_metrics(data, y_pred)
        return self.replicas.summed([sums])[0]

    def _apply(self, gradients: Any, finite: tf.Tensor, step: tf.Tensor) -> None:
        """Makes the same update of the weights on every replica, unless a gradient is not finite."""
        optimizer, variables = self.optimizer, self.trainable_weights
        inner = innermost(optimizer)
        self._build_optimizer(variables)

        def apply() -> None:
            with left_to_us(inner):
                self.replicas.again(lambda given: optimizer.apply(given, variables), gradients)

        if optimizer is inner:
            tf.cond(finite, apply, lambda: None)
        else:  # a LossScaleOptimizer checks the gradients itself, and adapts its scale
            apply()
        inner._iterations.assign(step + 1)
        if inner.use_ema and inner.ema_overwrite_frequency:
            due = tf.equal((step + 1) % inner.ema_overwrite_frequency, 0)
            tf.cond(due, lambda: inner._overwrite_model_variables_with_average_value(variables), lambda: None)

    def _assign_state(self, state: list[tf.Tensor]) -> None:
        for variable, value in zip(self._changing, state, strict=True):
            variable.assign(value)

    def _restore(self, measured: list[tf.Tensor]) -> None:
        for variable, value in zip(self._metric_variables(), measured, strict=False):
            variable.assign(value)
        if len(self._metric_variables()) > len(measured):  # an eager step made the variables
            self._compile_metrics.reset_state()

    def _predicted(self, data: Any) -> Any:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        shares = self._shares((x, None, None), 1)
        found = self.replicas.together(self.replicas.run(self.predict_step, shares))
        return found if len(shares) == 1 else tf.nest.map_structure(lambda one: one[: rows.count(x)], found)

    def _prepare(self, data: Any) -> None:
        """Builds the model, optimizer and metrics before the first step, if the step itself cannot: with several
        replicas, with a loop over micro-batches (whose metrics must exist before it), or with unbuilt layers.
        """
        measured = self._metrics_in_training and self._compile_metrics is not None
        metrics_first = measured and self._micro_batches > 1 and not self.run_eagerly
        unbuilt = any(
            not layer.built for layer in self._flatten_layers()
        )  # a step cannot create weights, since it collects assignments
        if self.replicas.divided or metrics_first or unbuilt:
            with self._scope():
                self._symbolic_build(data_batch=self._shares(data, self._micro_batches)[0])

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Does nothing. Keras would take a batch from the dataset to build what `_prepare` builds (keras#20585)."""

    def _build_optimizer(self, variables: list[Any]) -> None:
        if not self.optimizer.built:
            with self._scope():
                self.optimizer.build(variables)

    def _readable(self, data: Any) -> Any:
        return readable(data, self.replicas.workers, self.replicas.worker)

    def _counted(self, step: Any) -> Any:
        """Wraps a step: removes the tokens from its logs and counts them."""

        def counted(iterator: Iterator[Any]) -> tuple[Any, float]:
            logs, waited = step(iterator)
            self._count_tokens(logs.pop(_TOKENS, 0.0))
            return logs, waited

        return counted

    def _timed(self, run: Any) -> Callable[[Iterator[Any]], Any]:
        def timed(iterator: Iterator[Any]) -> Any:
            started = time.perf_counter()
            logs, waited = run(iterator)
            self.input_seconds += waited
            self.step_seconds += time.perf_counter() - started - waited
            if self._watch.is_due(self.steps_per_execution):
                self.check_numbers()
            self._hear()
            return logs

        return timed

    def _hear(self) -> None:
        """Exchanges stop requests with the other workers; reads the reply one call later, so that no step waits."""
        if self.replicas.workers == 1:
            return
        heard = self._heard
        object.__setattr__(self, "_heard", self.replicas.everywhere(tf.constant(self._asked, tf.int32)))
        self._take_in(heard)

    def _take_in(self, heard: Any) -> None:
        if heard is not None:
            self._agreed[:] = [one or other for one, other in zip(self._agreed, heard.numpy().tolist(), strict=True)]

    def agree_on_stop(self) -> None:
        """Exchanges stop requests (signals that workers received) with the other workers, and waits for their replies.

        Afterwards `stop_signal` is the same on every worker.
        """
        self._hear()
        self._take_in(self._heard)
        object.__setattr__(self, "_heard", None)


class _Workers:
    """A stand-in for a strategy that gives a worker its rows of every batch; kt2t's `Batches` already hold only these."""

    def __init__(self, workers: int, worker: int, unpacked: Callable[[Any], rows.Data]) -> None:
        self._workers = workers
        self._worker = worker
        self._unpacked = unpacked

    def experimental_distribute_dataset(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        if self._workers == 1 or hasattr(dataset, "feed"):
            return dataset

        def mine(*data: Any) -> Any:
            whole = rows.filled(self._unpacked(data), self._workers)
            return rows.share(whole, self._worker, self._workers)

        return dataset.map(mine)
