"""What `compile` takes and keeps, on every backend: the objective, the metrics, the clipping, the seed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kt2t.errors import NumericsError, RecipeError
from kt2t.training.clipping import Clipping, innermost
from kt2t.training.flat_metric import flat
from kt2t.training.normalisation import LossTracker, Objective, merged

_WATCH_EVERY = 16
_logger = logging.getLogger("kt2t")


class BadSteps(keras.metrics.Metric):
    """How many updates of the epoch were left out because their gradients were not finite, and how many in a row."""

    def __init__(self, name: str = "bad_steps") -> None:
        super().__init__(name=name)
        self._count = self.add_weight(shape=(), initializer="zeros", dtype="int32", name="count")
        self.row = self.add_weight(shape=(), initializer="zeros", dtype="int32", name="row")

    def update_state(self, finite: Any, sample_weight: Any = None) -> None:
        bad = ops.cast(ops.logical_not(finite), "int32")
        self._count.assign_add(bad)
        self.row.assign((self.row + bad) * bad)

    def result(self) -> Any:
        return ops.convert_to_tensor(self._count)

    def reset_state(self) -> None:
        self._count.assign(0)


class Compiled(keras.Model):
    """The part of the trainers that knows no backend."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        if arguments or "outputs" in options:
            # Keras would rewrite the bases of this class, and with them every model of kt2t.
            raise TypeError("A model of kt2t is a subclass with `call`. For a functional model use keras.Model.")
        super().__init__(**options)
        # Past Keras, which would track them.
        object.__setattr__(self, "_tokens_unread", [])
        object.__setattr__(self, "_tokens_read", 0.0)

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
        seed: int = 0,
    ) -> None:
        """Configures training as `keras.Model.compile` does, with these differences.

        Each loss gives a value per element; the loss of a batch, and of an epoch, is Σ(w·l)/Σw for each output.
        `metrics` are weighted like `weighted_metrics`. The optimizer's clipping is done here, after the gradients of
        the whole batch are known, and no longer by the optimizer.

        Args:
            metrics_in_training: Whether training computes the metrics as well, and not only evaluation.
            max_bad_steps: After so many steps in a row whose gradients are not finite, training stops.
            seed: Of everything random in training.

        Raises:
            ValueError: `metrics` and `weighted_metrics` do not fit together, the loss is not one Keras knows, or the
                optimizer accumulates gradients or averages weights.
            NumericsError: From `fit`: no finite gradient in `max_bad_steps` steps in a row.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        optimizer = keras.optimizers.get(optimizer)
        _check_optimizer(innermost(optimizer))
        super().compile(
            optimizer=optimizer,
            weighted_metrics=keras.tree.map_structure(flat, merged(metrics, weighted_metrics)),
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        given["optimizer"] = self.optimizer
        objective = Objective(loss, loss_weights, getattr(self, "output_names", None))
        kept = {
            "loss": loss,
            "_compile_options": given,
            "_objective": objective,
            "_loss_tracker": LossTracker(objective.names, objective.coefficients),
            "_bad_steps": BadSteps(),
            "_clipping": Clipping(self.optimizer) if self.optimizer is not None else None,
            "_metrics_in_training": metrics_in_training,
            "_max_bad_steps": max_bad_steps,
            "_seed": seed,
            "_until_watch": _WATCH_EVERY,
        }
        for name, value in kept.items():  # past Keras's tracking: none of this is part of the model
            object.__setattr__(self, name, value)

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`, serialised; the optimizer's with its clipping."""
        if not self.compiled:
            return {}
        if self._clipping is None:
            return keras.saving.serialize_keras_object(self._compile_options)
        with self._clipping.given_back():
            return keras.saving.serialize_keras_object(self._compile_options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with what `get_compile_config` wrote."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Keras's metrics of the model, and the count of bad steps."""
        found = super().metrics
        return [*found, self._bad_steps] if self.compiled else found

    @property
    def tokens_seen(self) -> float:
        """Summed sample weights of all training steps of this object; grows over the whole run."""
        unread = list(self._tokens_unread)
        del self._tokens_unread[: len(unread)]
        object.__setattr__(self, "_tokens_read", self._tokens_read + sum(float(one) for one in unread))
        return self._tokens_read

    def _results(self, with_metrics: bool) -> dict[str, Any]:
        """What is known of the epoch so far, for the logs: the losses, and the metrics if asked for."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            if metric is self._bad_steps or (metric is self._compile_metrics and not with_metrics):
                continue
            result = metric.result()
            found.update(result if isinstance(result, dict) else {metric.name: result})
        return found

    def _get_metrics_result_or_logs(self, logs: dict[str, Any]) -> dict[str, Any]:
        """The logs of the last step already are those of the epoch so far."""
        return logs

    def _extra_loss(self) -> Any:
        """The sum of what layers gave to `add_loss`, or None."""
        parts = [ops.sum(ops.cast(loss, "float32")) for loss in self.losses]
        return sum(parts[1:], parts[0]) if parts else None

    def _watch(self, in_a_row: Callable[[], Any]) -> None:
        """Now and then looks at the bad steps in a row: looking at each would wait for the device at each."""
        object.__setattr__(self, "_until_watch", self._until_watch - 1)
        if self._until_watch > 0:
            return
        object.__setattr__(self, "_until_watch", _WATCH_EVERY)
        row = int(ops.convert_to_numpy(in_a_row()))
        if row >= self._max_bad_steps:
            raise NumericsError(
                f"The gradients of the last {row} steps were not finite, so nothing is learned any more. Lower the "
                "learning rate, lengthen its warm-up or clip the gradients, and start from the last checkpoint."
            )
        if row:
            _logger.warning("the gradients of the last %d steps were not finite; these steps were left out", row)


def epochs_of(x: Any) -> dict[str, Any]:
    """What `fit` needs for kt2t's endless `Batches`: an epoch is one pass over the examples unless it is told otherwise."""
    if not callable(getattr(x, "dataset", None)):
        return {}
    return {"shuffle": False, **({"steps_per_epoch": len(x)} if getattr(x, "repeat", False) is True else {})}


def _check_optimizer(optimizer: Any) -> None:
    """Refuses what Keras's optimizers do beside the step, where it would train wrongly here."""
    if getattr(optimizer, "gradient_accumulation_steps", None):
        raise RecipeError(
            f"{optimizer.gradient_accumulation_steps}: gradients are not accumulated yet. Leave it out and take a larger "
            "train.batch.",
            path="optimizer.gradient_accumulation_steps",
        )
    if getattr(optimizer, "use_ema", False):
        # Keras's `fit` ends by putting the averages in place of the weights, and a run calls `fit` many times.
        raise RecipeError(
            "a moving average of the weights is not kept yet: it comes with the law of splits. Leave it out; the mean of "
            "the last checkpoints, `--checkpoint average`, does this job.",
            path="optimizer.use_ema",
        )
