"""Segments for batches that come without them: where id 0 is padding, the ids tell."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.features import PADDING
from kt2t.features.feature import flat

Tensor = Any
_logger = logging.getLogger("kt2t")


def ids_show_padding(feature: Any) -> bool:
    """Returns True if id 0 of a field can only be padding, as in Text and Tags: one id a position, and no real id 0."""
    if not getattr(feature, "has_segments", False) or len(feature.shape) != 1:
        return False
    return feature.limits is not None and feature.limits[0] > 0


def segments_from_ids(ids: Tensor) -> Tensor:
    """Makes segment ids from token ids: 0 where an id is padding, else 1. Logs a warning once in a process.

    Shapes:
        ids (batch, time) → (batch, time) int32
    """
    say_so()
    return ops.cast(ops.not_equal(ids, PADDING), "int32")


def with_segments(batch: Any, features: Mapping[str, Any], targets: Any = None) -> Any:
    """Adds missing segment ids to the features of a batch, for each field in which id 0 can only be padding.

    Segments that are given stay. Fields of which 0 is a legal value, such as recordings, get none.

    Args:
        batch: Values by field. Anything but a mapping is returned as it is.
        features: The problem's fields by name.
        targets: The targets of the batch, or a dict of them, for those that the model does not read.
    """
    if not isinstance(batch, Mapping):
        return batch
    values = {**flat({} if targets is None else {"targets": targets}), **batch}
    missing = {}
    for name, feature in flat(features).items():
        key = f"{name}_segments"
        if key in batch or name not in values or not ids_show_padding(feature) or feature.shares_segments_with:
            continue
        if len(getattr(values[name], "shape", ())) == 2:
            missing[key] = segments_from_ids(values[name])
    return {**batch, **missing} if missing else batch


@functools.cache
def say_so() -> None:
    """Logs a warning, once in a process, that id 0 is taken for padding."""
    _logger.warning(
        "A batch came without segments (such as 'inputs_segments'): id 0 is taken for padding. Give the segments, "
        "with 0 for padding, to say otherwise."
    )
