"""Implements the parts of a trainer that all backends share: `compile`, the loss, the logs, and requests to stop."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from kt2t.errors import NumericsError, RecipeError
from kt2t.ops import segments
from kt2t.ops.missing_segments import with_segments
from kt2t.options import positive
from kt2t.registry import build, describe
from kt2t.training import rows
from kt2t.training.clipping import Clipping, innermost
from kt2t.training.epoch_logs import EpochLogs
from kt2t.training.flat_metric import flat
from kt2t.training.missing_weights import weighted
from kt2t.training.objective import Objective, merged
from kt2t.training.parts import open_part
from kt2t.training.passes import continued, epochs_of, one_pass, restore
from kt2t.training.target_metric import by_target
from kt2t.training.watching import EVERY, BadSteps, Watch, not_finite

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_UNREAD = 1000
_logger = logging.getLogger("kt2t")


class SharedTrainer(keras.Model):
    """Base class of the trainers of all backends: a `keras.Model` with kt2t's `compile`, loss, logs and requests to stop.

    Attributes:
        on_not_finite: Function (steps, ends) → text, or None. `steps` were skipped since its last call. `ends` says
            whether training ends now, because of these steps or of weights that are not finite; the error message then
            contains the text.
    """

    on_not_finite: Callable[[list[int], bool], str] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        if arguments or "outputs" in options:
            # Keras would rewrite the bases of this class, and with them every model of kt2t.
            raise TypeError("A model of kt2t is a subclass with `call`. For a functional model use keras.Model.")
        super().__init__(**options)
        # Not set through Keras, which would track them.
        object.__setattr__(self, "_tokens_unread", [])
        object.__setattr__(self, "_tokens_read", 0.0)
        # One flag per signal in SIGNALS: sent to this process; agreed on by all workers.
        object.__setattr__(self, "_asked", [0] * len(SIGNALS))
        object.__setattr__(self, "_agreed", [0] * len(SIGNALS))

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
        metrics_in_training: bool = True,
        max_bad_steps: int = 20,
        micro_batches: int = 1,
        feed: Sequence[Any] = (),
        seed: int = 0,
    ) -> None:
        """Configures training as `keras.Model.compile` does, with these differences.

        Each loss returns a value per element (or per example); the loss of a batch, and of an epoch, is Σ(w·l)/Σw for
        each output. `metrics` are weighted like `weighted_metrics`. The trainer, not the optimizer, clips the
        gradients, after summing them over the whole batch.

        Args:
            metrics_in_training: Whether to compute the metrics in training too, and not only in evaluation.
            max_bad_steps: Number of consecutive steps with gradients that are not finite after which training stops.
            micro_batches: Number of parts into which each replica splits its share of a batch. The parts run one after
                the other and give one update: the same result with less memory. Rows of weight zero fill up the last
                parts.
            feed: Changes to what the model reads in training, one after the other, such as `[SymbolDropout(0.1)]`, or
                their nodes.
            seed: Seed of all randomness in training.

        Raises:
            ValueError: A change of `feed` does not fit the model, `metrics` and `weighted_metrics` do not fit together,
                Keras does not know the loss, or the optimizer accumulates gradients or was made for other devices.
            NumericsError: From `fit`: `max_bad_steps` consecutive steps had no finite gradient.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        for name in ("steps_per_execution", "max_bad_steps", "micro_batches"):
            positive(name, given[name])
        self._check_compilation(jit_compile)
        feed = [build(one, "feed") if isinstance(one, Mapping) else one for one in feed]
        for one in feed:
            one.check(getattr(self, "features", None) or {})
        given["feed"] = [describe(one) for one in feed]
        alone = isinstance(loss, Mapping) and len(loss) == 1
        with self._scope():
            optimizer = keras.optimizers.get(optimizer)
            self._check_optimizer(innermost(optimizer))
            super().compile(
                optimizer=optimizer,
                weighted_metrics=by_target(keras.tree.map_structure(flat, merged(metrics, weighted_metrics)), alone),
                run_eagerly=run_eagerly,
                steps_per_execution=steps_per_execution,
                jit_compile=jit_compile,
                auto_scale_loss=auto_scale_loss,
            )
            given["optimizer"] = self.optimizer
            objective = Objective(loss, loss_weights, getattr(self, "output_names", None))
            bad_steps = BadSteps(EVERY + steps_per_execution)
            logs = EpochLogs(objective, bad_steps, self._logged_metrics)
            kept = {
                "loss": loss,
                "_compile_options": given,
                "_objective": objective,
                "_epoch_logs": logs,
                "_loss_tracker": logs.losses,
                "_bad_steps": bad_steps,
                "_clipping": Clipping(self.optimizer) if self.optimizer is not None else None,
                "_metrics_in_training": metrics_in_training,
                "_watch": Watch(max_bad_steps),
                "_condition": None,
                "_micro_batches": micro_batches,
                "_feed": tuple(feed),
                "_seed": seed,
            }
        for name, value in kept.items():  # not tracked by Keras: none of it is part of the model
            object.__setattr__(self, name, value)

    def _scope(self) -> Any:
        """Returns the scope in which to make the variables of training."""
        return contextlib.nullcontext()

    def _check_compilation(self, jit_compile: bool | str) -> None:
        """Raises RecipeError if the devices do not support `jit_compile`."""

    def _check_optimizer(self, optimizer: Any) -> None:
        """Raises RecipeError for options of the optimizer that would give wrong results in this trainer."""
        if getattr(optimizer, "gradient_accumulation_steps", None):
            raise RecipeError(
                f"{optimizer.gradient_accumulation_steps}: the optimizer does not accumulate gradients here. Leave it out and "
                "take train.micro_batches (`compile(micro_batches=…)`), which splits one batch into parts of less memory.",
                path="optimizer.gradient_accumulation_steps",
            )

    def get_compile_config(self) -> dict[str, Any]:
        """Returns the serialised arguments of `compile`, with the optimizer's clipping options; {} before `compile`."""
        if not self.compiled:
            return {}
        if self._clipping is None:
            return keras.saving.serialize_keras_object(self._compile_options)
        with self._clipping.given_back():
            return keras.saving.serialize_keras_object(self._compile_options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model with the arguments that `get_compile_config` returned, and builds the optimizer if possible."""
        with self._scope():
            self.compile(**keras.saving.deserialize_keras_object(config))
            if self.built and self.optimizer is not None:
                self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The model's metrics; after `compile` also the count of skipped steps."""
        found = super().metrics
        return [*found, self._bad_steps] if self.compiled else found

    @property
    def tokens_seen(self) -> float:
        """The sum of the sample weights of all training steps of this model object. It never decreases."""
        self._read_tokens(len(self._tokens_unread))
        return self._tokens_read

    def _count_tokens(self, tokens: Any) -> None:
        """Stores a step's tokens without reading them, since reading waits for the step to end.

        When 1000 values are stored, the older half is read; their steps ended long before.
        """
        self._tokens_unread.append(tokens)
        if len(self._tokens_unread) > _UNREAD:
            self._read_tokens(_UNREAD // 2)

    def _read_tokens(self, count: int) -> None:
        read = sum(float(one) for one in self._tokens_unread[:count])
        del self._tokens_unread[:count]
        object.__setattr__(self, "_tokens_read", self._tokens_read + read)

    def ask_to_stop(self, number: int) -> None:
        """Requests the end of training because of a signal, after the current step; safe to call from a signal handler.

        With several workers, `agree_on_stop` passes the request on, and all of them stop after the same step.

        Args:
            number: Number of the signal, SIGTERM or SIGINT.
        """
        self._asked[SIGNALS.index(number)] = 1
        if self.workers == 1:
            self._agreed[:] = self._asked

    @property
    def stop_signal(self) -> int | None:
        """The number of the signal for which all workers have agreed to stop, or None."""
        return next((number for number, agreed in zip(SIGNALS, self._agreed, strict=True) if agreed), None)

    @property
    def workers(self) -> int:
        """The number of processes that train this model together."""
        return 1

    def agree_on_stop(self) -> None:
        """Exchanges stop requests with the other workers, and waits until every worker knows all requests.

        Does nothing in a trainer of one process.
        """

    def _for_fit(self, x: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Returns data and options for Keras's `fit`: `Batches` start at the optimizer's step, validation makes one pass.

        Raises:
            ValueError: The rows are packed, but the model reads one example per row.
        """
        self._check_rows(x)
        options = {**epochs_of(x), **options}
        validation, steps = one_pass(options.get("validation_data"))
        if steps is not None:
            options.setdefault("validation_steps", steps)
        restore(self, options.get("callbacks"))
        step = 0 if self.optimizer is None else int(ops.convert_to_numpy(innermost(self.optimizer).iterations))
        return continued(x, step), {**options, "validation_data": validation}

    def _for_one_pass(self, x: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Returns data and options for Keras's `evaluate` or `predict`, which make one pass over kt2t's `Batches`."""
        if options.get("steps") is not None:
            return x, dict(options)
        x, steps = one_pass(x)
        return x, {**options, **({} if steps is None else {"steps": steps})}

    def _check_rows(self, x: Any) -> None:
        """Raises ValueError if rows are packed but the model reads one example per row."""
        if getattr(x, "packed", False) and not getattr(self, "takes_packed_rows", True):
            raise ValueError(
                f"{type(self).__name__} with these options reads one example a row, and these batches are packed. "
                "Leave out pack."
            )

    def _unpacked(self, data: Any) -> rows.Data:
        """Returns (x, y, sample_weight) of a batch; adds missing segments (id 0 is padding) and weights (0 for padding)."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self._check_features(x)
        x = with_segments(x, getattr(self, "features", None) or {}, y)
        return weighted((x, y, sample_weight), self._targets(), self._tell_of_weights)

    def _check_features(self, x: Any) -> None:
        """Raises an error for features that the model cannot read."""

    def _fed(self, x: Any) -> Any:
        """Returns what the model reads in training in place of x."""
        for one in self._feed:
            x = one(self, x)
        return x

    def _tell_of_weights(self) -> None:
        if not getattr(self, "_told_of_weights", False):
            object.__setattr__(self, "_told_of_weights", True)
            _logger.warning("no sample weights were given: padding (segment 0, or id 0) weighs nothing, all else 1")

    def _targets(self) -> Any:
        """Returns the feature or features of the targets, or None if the model does not know them."""
        return (getattr(self, "features", None) or {}).get("targets")

    def _ends_without_evaluation(self, options: Mapping[str, Any]) -> bool:
        """Whether `fit` asks for the evaluation at an epoch's end after the epoch was cut short by a signal."""
        return bool(options.get("_use_cached_eval_dataset")) and self.stop_signal is not None

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        with segments.showing(self._segments_of_targets(x)):
            return open_part().loss(self._objective, y, y_pred, sample_weight, self._extra_loss(), training)

    def _update_metrics(self, data: rows.Data, y_pred: Any) -> None:
        x, y, sample_weight = data
        if self._compile_metrics is not None:
            with segments.showing(self._segments_of_targets(x)):
                self._compile_metrics.update_state(y, y_pred, sample_weight)

    def _segments_of_targets(self, x: Any) -> Any:
        return segments.of_targets(x, self._targets())

    def _logged_metrics(self, training: bool) -> list[keras.metrics.Metric]:
        """Returns the metrics in a step's logs, without the losses and the count of bad steps."""
        left_out = [self._loss_tracker, self._bad_steps]
        left_out += [self._compile_metrics] if training and not self._metrics_in_training else []
        return [metric for metric in self.metrics if not any(metric is one for one in left_out)]

    def _get_metrics_result_or_logs(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Returns the logs unchanged: those of the last step already cover the epoch so far."""
        return logs

    def _extra_loss(self) -> Any:
        """Returns the sum of the losses that layers gave to `add_loss`, or None."""
        parts = [ops.sum(ops.cast(loss, "float32")) for loss in self.losses]
        return sum(parts[1:], parts[0]) if parts else None

    def check_numbers(self) -> None:
        """Reports skipped steps and weights that are not finite. `fit` calls it every 16 steps and at its end.

        Raises:
            NumericsError: Too many consecutive steps were skipped, or a weight is not finite.
        """
        raise NotImplementedError

    def _judge(self, condition: Any) -> None:
        """Reports skipped steps; raises NumericsError if too many were skipped or a weight is not finite."""
        *latest, finite = ops.convert_to_numpy(condition).tolist()
        new = self._watch.note(latest)
        weights = [] if finite else not_finite(self)
        if not new and not weights:
            return
        ends = self._watch.is_over or bool(weights)
        told = (self.on_not_finite or _log_bad_steps)(new, ends)
        if weights:
            raise NumericsError(
                f"Not finite any more, though every gradient that was applied was: {', '.join(weights)}. Lower the learning "
                f"rate or lengthen its warm-up. {told}".rstrip()
            )
        if ends:
            raise NumericsError(
                f"The gradients of {self._watch.in_a_row} steps in a row, up to step {new[-1]}, were not finite, so nothing "
                "is learned any more. Lower the learning rate, lengthen its warm-up, clip the gradients or mend the data. "
                f"{told}".rstrip()
            )


def _log_bad_steps(steps: list[int], ends: bool) -> str:
    if steps:
        _logger.warning("left out, because a gradient was not finite: step %s", ", ".join(map(str, steps)))
    return ""
