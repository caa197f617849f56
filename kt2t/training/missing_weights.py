"""Adds sample weights to batches that have none, so that padding does not count in the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from kt2t.ops import segments
from kt2t.ops.missing_segments import ids_show_padding
from kt2t.training.rows import Data


def weighted(data: Data, targets: Any = None, tell: Callable[[], None] = lambda: None) -> Data:
    """Returns a batch with missing sample weights added, for each target that can have padding: 0 for padding, else 1.

    A position is padding if the target's segment is 0. Without segments it is padding if its id is 0, provided that 0
    is not also a real id of the feature.

    Args:
        data: (x, y, sample_weight).
        targets: The problem's `targets`, a `Feature` or a dict of features; None if the model does not know them.
        tell: Called if weights were added.
    """
    x, y, given = data
    if y is None or (given is not None and not isinstance(given, Mapping)):
        return data
    several = isinstance(y, Mapping)
    if several and not isinstance(targets, Mapping):
        return data
    shown = segments.of_targets(x, targets) if targets is not None else _own(x)
    if not several:
        found = _weights(y, targets, shown)
        if given is not None or found is None:
            return data
        tell()
        return x, y, found
    weights = dict.fromkeys(y) if given is None else dict(given)
    missing = {key: _weights(y[key], targets.get(key), shown.get(key)) for key in y if weights.get(key) is None}
    if all(one is None for one in missing.values()):
        return data
    tell()
    return x, y, {**weights, **missing}


def _own(x: Any) -> Any:
    """Returns the segments of the targets, if it is unknown whether targets and inputs share their segments."""
    return x.get("targets_segments") if isinstance(x, Mapping) else None


def _weights(y: Any, feature: Any, shown: Any) -> Any:
    if keras.tree.is_nested(y) or len(y.shape) < 2:
        return None
    if shown is not None:
        return ops.cast(ops.greater(shown, 0), "float32")
    if ids_show_padding(feature):
        return ops.cast(ops.not_equal(y, 0), "float32")
    return None
