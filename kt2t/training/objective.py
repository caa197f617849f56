"""Computes the loss of a batch on all backends: the weighted mean of the values that each loss returns.

    loss = sum over outputs of c · Σ(w · l) / Σ w

Σ w is summed over the whole batch, with all replicas and micro-batches. A loss returns one value for each element. A loss
with the attribute `per = "example"` returns one value for each row of the batch (CTC, scores of sequences).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from kt2t.ops import segments
from kt2t.options import nearest


class Sums(NamedTuple):
    """Holds the sums over a part of a batch for one output, as float32 scalars.

    Attributes:
        total: Σ(w·l), the weighted sum of the loss values.
        weight: Σw, where a weight counts once for every loss value that it applies to.
        spread: Number of loss values that each sample weight applies to; None if a Keras mask changes the weights.
    """

    total: Any
    weight: Any
    spread: Any = None


class Objective:
    """The losses that were given to `compile`, one for each output of the model, with their coefficients.

    Args:
        loss: A loss, its name or a function; or a dict or list of losses by output. None if only layers add losses
            (`add_loss`).
        loss_weights: Coefficients of the losses, by default 1: a dict by the names of the losses, or a list in their
            order. If `loss` is a dict, a list follows Keras's order: that of the model's outputs, else alphabetical.
        output_names: Names of the outputs, if the model knows them.

    Raises:
        ValueError: A coefficient belongs to no loss, a list of coefficients has another length than the losses, or a
            loss's `per` is neither "element" nor "example".
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: Sequence[str] | None = None) -> None:
        given = _by_output(loss, output_names)
        self._is_dict = isinstance(loss, Mapping)
        self._keys = [key for key, one in given.items() if one is not None]
        self._losses = [_unreduced(given[key]) for key in self._keys]
        self._output_names = list(output_names or [])
        weights = self._weights(loss_weights, self._ordered(given) if self._is_dict else list(given))
        self._coefficients = [float(1.0 if weights.get(key) is None else weights[key]) for key in self._keys]

    @property
    def names(self) -> list[str]:
        """The names of the outputs that have a loss, in the order of `sums`; "" for one unnamed output."""
        return [self._name(key) for key in self._keys]

    @property
    def logged_names(self) -> list[str]:
        """The names of the losses to log as `NAME_loss`; empty if there is one loss that was not given in a dict."""
        return self.names if self._is_dict or len(self._keys) > 1 else []

    @property
    def coefficients(self) -> list[float]:
        """The coefficient of each loss in the sum of losses, in the order of `names`."""
        return self._coefficients

    def total_weights(self, y_true: Any, sample_weight: Any = None) -> list[Any]:
        """Returns the sum of the sample weights of each output, a float32 scalar, before broadcasting to the loss values.

        The sums need no predictions, so the weight of the whole batch is known before its parts are computed.

        Args:
            y_true: The targets, by output.
            sample_weight: The weights, by output; missing ones count 1 for each row.
        """
        found = []
        for key, loss in zip(self._keys, self._losses, strict=True):
            weights = _of_rows(self._pick(sample_weight, key, "sample_weight"), loss)
            rows = keras.tree.flatten(self._pick(y_true, key, "targets"))[0]
            found.append(
                ops.cast(ops.shape(rows)[0], "float32") if weights is None else ops.sum(ops.cast(weights, "float32"))
            )
        return found

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> list[Sums]:
        """Computes the loss values l of each output, and returns Σ(w·l) and Σw of each output, in the order of `names`.

        A loss can get the segments of its own target by `ops.segments.shown()`.

        Args:
            y_true: The targets, by output.
            y_pred: The model's outputs.
            sample_weight: The weights w, by output.

        Raises:
            ValueError: A loss returns one number for the batch, a weight does not fit, or an output has no loss.
        """
        if len(self._keys) == 1 and keras.tree.is_nested(y_pred) and self._keys[0] is None:
            raise ValueError(
                f"loss: the model has the outputs {_outputs(y_pred)}. Give a dict with a loss for each of them."
            )
        found = []
        for key, loss in zip(self._keys, self._losses, strict=True):
            truth, prediction = self._pick(y_true, key, "targets"), self._pick(y_pred, key, "outputs")
            with segments.showing_target(self._name(key)):
                values = loss(truth, prediction)
                if len(values.shape) == 0 and len(prediction.shape) == 1:  # Keras's losses average over a last axis
                    values = loss(ops.expand_dims(truth, -1), ops.expand_dims(prediction, -1))
            _check_values(values, loss)
            weights = _of_rows(self._pick(sample_weight, key, "sample_weight"), loss)
            mask = None if _is_per_example(loss) else getattr(prediction, "_keras_mask", None)
            found.append(_weighted(values, weights, mask))
        return found

    def _ordered(self, names: Mapping[str, Any]) -> list[Any]:
        """Returns a dict's names in the order that Keras uses for a list of values."""
        return self._output_names if {*names} == {*self._output_names} else sorted(names)

    def _weights(self, given: Any, keys: list[Any]) -> dict[Any, Any]:
        """Returns the coefficients by the keys of the losses, including losses that are None."""
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

    def _pick(self, structure: Any, key: Any, what: str) -> Any:
        """Returns the part of `structure` that belongs to an output; `structure` itself if it is one tensor.

        Args:
            what: Names the structure in an error.
        """
        if key is None or not keras.tree.is_nested(structure):
            return structure
        if isinstance(structure, Mapping):
            found = key if key in structure else self._name(key)
            if found not in structure:
                raise ValueError(
                    f"loss: there is one for {found!r}, but the {what} are {_outputs(structure)}. "
                    f"Give losses, targets and weights the same keys. {nearest(found, list(structure))}".rstrip()
                )
            return structure[found]
        if isinstance(key, str):
            key = self._output_names.index(key)
        return structure[key]


def share(
    sums: Sequence[Sums],
    coefficients: Sequence[float],
    whole: Sequence[Any] | None = None,
    total: Callable[[Any], Any] | None = None,
) -> Any:
    """Returns a part's share of the loss of the whole batch: its Σ(w·l), divided by the weight Σw of all parts.

    The shares of all parts add up to the loss of the batch.

    Args:
        sums: The part's `Sums` of each output, from `Objective.sums`.
        coefficients: The coefficient of each output's loss.
        whole: The result of `Objective.total_weights` for the whole batch; None if the part is the whole batch.
        total: Function that sums a weight over all parts; needed if a Keras mask changes the weights.

    Raises:
        ValueError: A Keras mask changes the weights, and `total` is missing.
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
    """Joins the `metrics` and `weighted_metrics` of `compile` to one list or dict, since the trainers weight both kinds.

    Raises:
        ValueError: One of them is a list and the other a dict.
    """
    if not metrics or not weighted_metrics:
        return metrics or weighted_metrics
    if isinstance(metrics, Mapping) and isinstance(weighted_metrics, Mapping):
        names = dict.fromkeys([*metrics, *weighted_metrics])
        return {name: [*_listed(metrics.get(name)), *_listed(weighted_metrics.get(name))] for name in names}
    if isinstance(metrics, Mapping) or isinstance(weighted_metrics, Mapping):
        raise ValueError("weighted_metrics: give `metrics` and `weighted_metrics` both as a list or both as a dict.")
    return [*metrics, *weighted_metrics]


def _is_per_example(loss: Any) -> bool:
    return bool(getattr(loss, "per", "element") == "example")


def _of_rows(weights: Any, loss: Any) -> Any:
    """Returns one weight per row for a loss with one value per row; for other losses, the weights unchanged.

    A row's weight is the largest weight of its positions, so a row counts if any of its positions counts.
    """
    if weights is None or not _is_per_example(loss) or len(weights.shape) < 2:
        return weights
    return ops.max(weights, axis=tuple(range(1, len(weights.shape))))


def _check_values(values: Any, loss: Any) -> None:
    if len(values.shape) == 0:
        raise ValueError(
            f"loss: {loss.name!r} returns one number for the whole batch. Return a value for each example or "
            "position, (batch, …); the trainer weights and averages them."
        )
    if _is_per_example(loss) and len(values.shape) != 1:
        raise ValueError(
            f"loss: {loss.name!r} is per example, but its values have the shape {tuple(values.shape)}. Return (batch,), or "
            "leave `per` out for a loss with a value for each element."
        )


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
    """Broadcasts weights (batch, …) over the axes that only the values have."""
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
    per = getattr(given, "per", "element")
    if per not in ("element", "example"):
        raise ValueError(f"loss: it is per {per!r}. A loss has a value per 'element' or per 'example'.")
    if not isinstance(given, keras.losses.Loss):
        given = _Function(given, name=loss if isinstance(loss, str) else getattr(loss, "__name__", None))
        given.per = per
    unreduced = object.__new__(type(given))  # `copy.copy` would serialise it, as Keras objects do
    vars(unreduced).update(vars(given), reduction=None)
    return unreduced


class _Function(keras.losses.Loss):
    """Makes a loss object of a function; adds a missing last axis of size 1 to targets or predictions, as Keras does."""

    per = "element"

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
