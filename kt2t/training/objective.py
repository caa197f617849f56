"""The loss of a batch: values per element, weighted, and divided by the weight there is.

    loss = sum over outputs of c · Σ(w · l) / Σ w

Neutral code, shared by the trainers of all backends. Σ w is that of the whole batch: of all replicas and micro-batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from kt2t.options import nearest


class Sums(NamedTuple):
    """What one output of a part of a batch adds to the loss; float32 scalars.

    Attributes:
        total: Σ(w·l).
        weight: Σw, a weight counted for every value that it is spread over.
        spread: Over how many values each given weight is spread; None where a Keras mask also had a say.
    """

    total: Any
    weight: Any
    spread: Any = None


class Objective:
    """The losses that `compile` was given, one for each output.

    Args:
        loss: A loss, its name or a function; or a dict or list of these by output. None where layers
            call `add_loss`.
        loss_weights: Coefficients of the outputs, 1 where there is none: a dict by the names of the losses, or a list in
            their order; of a dict of losses Keras's, which is that of the outputs or else the alphabet's.
        output_names: Names of the outputs, where the model knows them.

    Raises:
        ValueError: There is a coefficient of no loss, or a list of them has another length than the losses.
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: Sequence[str] | None = None) -> None:
        given = _by_output(loss, output_names)
        self._keys = [key for key, one in given.items() if one is not None]
        self._losses = [_unreduced(given[key]) for key in self._keys]
        self._output_names = list(output_names or [])
        weights = self._weights(loss_weights, self._ordered(given) if isinstance(loss, Mapping) else list(given))
        self._coefficients = [float(1.0 if weights.get(key) is None else weights[key]) for key in self._keys]

    @property
    def names(self) -> list[str]:
        """What the losses are called in the logs, in the order of `sums`."""
        return [self._name(key) for key in self._keys]

    @property
    def coefficients(self) -> list[float]:
        """The coefficient of each loss in the sum."""
        return self._coefficients

    def total_weights(self, y_true: Any, sample_weight: Any = None) -> list[Any]:
        """The summed sample weights of each output, before they are spread over values; float32 scalars.

        They need no prediction, so a part of a batch can know the weight of the whole batch beforehand.
        """
        found = []
        for key in self._keys:
            weights = self._pick(sample_weight, key) if sample_weight is not None else None
            rows = keras.tree.flatten(self._pick(y_true, key))[0]
            found.append(
                ops.cast(ops.shape(rows)[0], "float32") if weights is None else ops.sum(ops.cast(weights, "float32"))
            )
        return found

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> list[Sums]:
        """Σ(w·l) and Σw of each output.

        Raises:
            ValueError: A loss returns one number for the batch, a weight does not fit, or an output has no loss.
        """
        if len(self._keys) == 1 and keras.tree.is_nested(y_pred) and self._keys[0] is None:
            raise ValueError(
                f"loss: the model has the outputs {_outputs(y_pred)}. Give a dict with a loss for each of them."
            )
        found = []
        for key, loss in zip(self._keys, self._losses, strict=True):
            truth, prediction = self._pick(y_true, key), self._pick(y_pred, key)
            values = loss(truth, prediction)
            if len(values.shape) == 0 and len(prediction.shape) == 1:  # Keras's losses average over a last axis
                values = loss(ops.expand_dims(truth, -1), ops.expand_dims(prediction, -1))
            if len(values.shape) == 0:
                raise ValueError(
                    f"loss: {loss.name!r} returns one number for the whole batch. Return a value for each example or "
                    "position, (batch, …); the trainer weights and averages them."
                )
            weights = self._pick(sample_weight, key) if sample_weight is not None else None
            found.append(_weighted(values, weights, getattr(prediction, "_keras_mask", None)))
        return found

    def _ordered(self, names: Mapping[str, Any]) -> list[Any]:
        """The names of a dict in the order in which Keras takes a list for them."""
        return self._output_names if {*names} == {*self._output_names} else sorted(names)

    def _weights(self, given: Any, keys: list[Any]) -> dict[Any, Any]:
        """The coefficients by the keys of the losses, those that are None among them."""
        if given is None:
            return {}
        if isinstance(given, Mapping):
            by_name = {name: key for key in keys for name in (key, self._name(key))}
            if strange := [name for name in given if name not in by_name]:
                known = [self._name(key) for key in keys if key is not None]
                way_out = nearest(str(strange[0]), known) or "Give one number, as there is one loss."
                raise ValueError(f"loss_weights: there is no loss {strange[0]!r}. {way_out}")
            return {by_name[name]: weight for name, weight in given.items()}
        if not isinstance(given, list | tuple):
            return dict.fromkeys(keys, given)
        if len(given) != len(keys):
            raise ValueError(
                f"loss_weights: {list(given)} are {len(given)} for {len(keys)} losses. Give one for each, or a dict by the "
                "names of the losses."
            )
        return dict(zip(keys, given, strict=True))

    def _name(self, key: Any) -> str:
        if isinstance(key, int) and key < len(self._output_names):
            return self._output_names[key]
        return "" if key is None else str(key)

    def _pick(self, structure: Any, key: Any) -> Any:
        if key is None or not keras.tree.is_nested(structure):
            return structure
        if isinstance(structure, Mapping):
            return structure[key if key in structure else self._name(key)]
        if isinstance(key, str):
            key = self._output_names.index(key)
        return structure[key]


class LossTracker(keras.metrics.Metric):
    """`loss` over an epoch: the ratio of sums over all batches, not the mean of batch means.

    The extra losses of layers (`add_loss`) have no weight; they enter by their mean over the steps.

    Args:
        names: Names of the outputs' losses; with more than one, each is logged as `<name>_loss` as well.
        coefficients: Of each in the total.
    """

    def __init__(self, names: Sequence[str], coefficients: Sequence[float], name: str = "loss") -> None:
        super().__init__(name=name, dtype="float32")
        self._names = list(names)
        self._coefficients = list(coefficients)
        size = (max(len(self._names), 1),)
        self._totals = counter(size, "totals")
        self._weights = counter(size, "weights")
        self._extra = counter((), "extra")
        self._steps = counter((), "steps")

    def record(self, sums: Sequence[Sums], extra: Any = None, only_finite: bool = False) -> None:
        """Adds the sums of a whole batch; with `only_finite`, a total that is not finite is left out with its weight."""
        if sums:
            totals = ops.stack([one.total for one in sums])
            weights = ops.stack([one.weight for one in sums])
            if only_finite:
                kept = ops.isfinite(totals)
                totals, weights = ops.where(kept, totals, 0.0), ops.where(kept, weights, 0.0)
            self._totals.assign_add(totals)
            self._weights.assign_add(weights)
        if extra is not None:
            self._extra.assign_add(ops.where(ops.isfinite(extra), extra, 0.0) if only_finite else extra)
            self._steps.assign_add(1.0)

    def result(self) -> dict[str, Any]:
        ratios = _ratio(self._totals, self._weights)
        coefficients = ops.convert_to_tensor(self._coefficients or [0.0], "float32")
        loss = ops.sum(ratios * coefficients) + _ratio(self._extra, self._steps)
        parts = {f"{name}_loss": ratios[i] for i, name in enumerate(self._names)} if len(self._names) > 1 else {}
        return {"loss": loss, **parts}


def counter(shape: tuple[int, ...], name: str, dtype: str = "float32") -> keras.Variable:
    """A variable of a metric that counts whole batches: the same on every replica, where Keras's own are each replica's."""
    return keras.Variable(
        "zeros", shape=shape, dtype=dtype, trainable=False, aggregation="only_first_replica", name=name
    )


def share(
    sums: Sequence[Sums],
    coefficients: Sequence[float],
    whole: Sequence[Any] | None = None,
    total: Callable[[Any], Any] | None = None,
) -> Any:
    """A part's share of the loss of the whole batch: its Σ(w·l) over the weight of all parts.

    Args:
        whole: Of each output, the weights of the whole batch as they were `given`; None where the part is the whole.
        total: Sums a weight over all parts, where a Keras mask has a say in it.

    Raises:
        ValueError: A Keras mask has a say in the weights of a part that cannot see the others.
    """
    parts = []
    for number, (one, coefficient) in enumerate(zip(sums, coefficients, strict=True)):
        weight = one.weight
        if whole is not None and one.spread is not None:
            weight = whole[number] * one.spread
        elif whole is not None and total is not None:
            weight = total(weight)
        elif whole is not None:
            raise ValueError(
                "loss: the output carries a Keras mask, so the weight of a batch is unknown before all its micro-batches "
                "have run. Give sample weights in place of the mask, or leave micro_batches out."
            )
        parts.append(coefficient * _ratio(one.total, weight))
    return sum(parts[1:], parts[0])


def merged(metrics: Any, weighted_metrics: Any) -> Any:
    """`metrics` and `weighted_metrics` as one, since here both are weighted."""
    if not metrics or not weighted_metrics:
        return metrics or weighted_metrics
    if isinstance(metrics, Mapping) and isinstance(weighted_metrics, Mapping):
        names = dict.fromkeys([*metrics, *weighted_metrics])
        return {name: [*_listed(metrics.get(name)), *_listed(weighted_metrics.get(name))] for name in names}
    if isinstance(metrics, Mapping) or isinstance(weighted_metrics, Mapping):
        raise ValueError("weighted_metrics: give `metrics` and `weighted_metrics` both as a list or both as a dict.")
    return [*metrics, *weighted_metrics]


def _weighted(values: Any, weights: Any, mask: Any) -> Sums:
    values = ops.cast(values, "float32")
    given = ops.shape(values)[0] if weights is None else ops.size(weights)
    spread = None if mask is not None else ops.cast(ops.size(values), "float32") / ops.cast(given, "float32")
    weights = ops.ones_like(values) if weights is None else _spread(ops.cast(weights, "float32"), values)
    if mask is not None:
        weights = weights * _spread(ops.cast(mask, "float32"), values)
    # A value that has no weight must not count even where it is not finite: 0 · inf is not a number.
    return Sums(ops.sum(ops.where(weights == 0, 0.0, values * weights)), ops.sum(weights), spread)


def _spread(weights: Any, values: Any) -> Any:
    """Weights of (batch, …) repeated over the axes that only the values have."""
    while len(weights.shape) > len(values.shape) and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    if len(weights.shape) > len(values.shape):
        raise ValueError(
            f"sample_weight: a weight of shape {tuple(weights.shape)} does not fit loss values of shape "
            f"{tuple(values.shape)}. It may have at most their axes."
        )
    while len(weights.shape) < len(values.shape):
        weights = ops.expand_dims(weights, -1)
    return ops.broadcast_to(weights, ops.shape(values))


def _ratio(top: Any, bottom: Any) -> Any:
    return ops.divide_no_nan(top, bottom)


def _unreduced(loss: Any) -> keras.losses.Loss:
    given = keras.losses.get(loss)
    if not isinstance(given, keras.losses.Loss):
        given = _Function(given, name=loss if isinstance(loss, str) else getattr(loss, "__name__", None))
    unreduced = object.__new__(type(given))  # `copy.copy` would send it through Keras's file format
    vars(unreduced).update(vars(given), reduction=None)
    return unreduced


class _Function(keras.losses.Loss):
    """A loss function as an object; its last axes are matched as Keras matches them."""

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None) -> None:
        super().__init__(name=name if name is None or name.isidentifier() else "loss", reduction=None)
        self._function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if len(y_true.shape) == len(y_pred.shape) + 1 and y_true.shape[-1] == 1:
            y_pred = ops.expand_dims(y_pred, -1)
        elif len(y_pred.shape) == len(y_true.shape) + 1 and y_pred.shape[-1] == 1:
            y_true = ops.expand_dims(y_true, -1)
        return self._function(y_true, y_pred)


def _by_output(given: Any, output_names: Sequence[str] | None) -> dict[Any, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, list | tuple):
        return {None: given[0]} if len(given) == 1 else dict(enumerate(given))
    if given is None:
        return {}
    if output_names and len(output_names) > 1:
        return dict.fromkeys(output_names, given)
    return {None: given}


def _outputs(structure: Any) -> str:
    return ", ".join(map(str, structure)) if isinstance(structure, Mapping) else str(list(range(len(structure))))


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
