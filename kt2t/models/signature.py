"""Makes the arguments of a model's call from its features, for building and exporting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kt2t.features.feature import flat
from kt2t.ops.missing_segments import ids_show_padding

Tensor = Any


def one_row(features: Mapping[str, Any]) -> dict[str, Tensor]:
    """Makes a batch of one short row of zeros, with which a model builds its weights."""
    row = {}
    for name, feature in flat(features).items():
        if "." in name:
            continue  # a dict of targets is predicted, not read
        shape = (1, *[2 * feature.values_per_position if size is None else size for size in feature.shape])
        row[name] = ops.convert_to_tensor(np.zeros(shape, feature.dtype))
        if feature.has_segments:
            row[f"{name}_segments"] = ops.ones(shape[:2], dtype="int32")
    return row


def signature(features: Mapping[str, Any], segments: bool) -> dict[str, keras.InputSpec]:
    """Returns the shape and dtype of each field that an exported model reads; batch size and length stay variable.

    Args:
        features: The problem's fields by name.
        segments: Whether the segments of every field are read. If False, segments are read only for fields whose ids do
            not mark padding, such as recordings.
    """
    read = {}
    for name, feature in features.items():
        if name == "targets" and not getattr(feature, "is_fed_back", False):
            continue
        read[name] = keras.InputSpec(shape=(None, *feature.shape), dtype=feature.dtype)
        if feature.has_segments and (segments or not ids_show_padding(feature)):
            read[f"{name}_segments"] = keras.InputSpec(shape=(None, None), dtype="int32")
    return read
