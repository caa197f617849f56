"""Pads examples of different lengths to one batch, with segments and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.data.lengths import MaxLength, limits_of, segment_source
from kt2t.data.records import is_nested
from kt2t.features import Feature, flat

Batch = tuple[dict[str, np.ndarray], Any, Any]


def collate(
    examples: Sequence[Mapping[str, Any] | Sequence[Mapping[str, Any]] | None],
    features: Mapping[str, Any],
    shape: Mapping[str, int] | None = None,
    max_length: MaxLength = None,
) -> Batch:
    """Pads examples to one batch `(features, targets, sample_weight)`.

    The examples of a packed row follow each other in every field. Their segments have the same numbers in every field,
    counted from 1.

    Args:
        examples: The example of each row; a list of examples for a packed row; None or an empty list for a row of weight zero.
        features: The feature of each field; `targets` may be a dict of features.
        shape: The padded length of each field of variable length, in positions, by flat name. Longer examples are cut.
            Without it, the length of the longest example.
        max_length: The most positions of fields that `shape` does not name; see `lengths.limits_of`.

    Returns:
        The features, with segments; the targets; their weights, per position where the target has segments and else per
        row. With a dict of targets, both are dicts with the same keys. A single target that is fed back to the model is
        also among the features. If an example has a `prompt_length`, that many of its first targets have weight zero.
    """
    fields = flat(features)
    limits = limits_of(max_length, features) if max_length is not None else {}
    rows = [_row(example, is_nested(features)) for example in examples]
    values: dict[str, np.ndarray] = {}
    segments: dict[str, np.ndarray] = {}
    for field in sorted(fields, key=lambda field: segment_source(fields, field) != field):  # sources before their sharers
        feature, source = fields[field], segment_source(fields, field)
        parts = [[example[field] for example in row] for row in rows]
        if not feature.has_segments:
            values[field], segments[field] = _stacked(parts, feature)
        elif source == field:
            width = (shape or {}).get(field) or _longest(parts, feature, limits.get(field))
            values[field], segments[field] = _padded(parts, feature, width * feature.values_per_position)
        else:
            segments[field] = segments[source][:, :: fields[source].values_per_position]
            values[field], _ = _padded(parts, feature, segments[field].shape[1])
    weights = {
        field: (segments[field] > 0).astype(np.float32) for field in fields if field.partition(".")[0] == "targets"
    }
    if "targets" in weights and fields["targets"].has_segments:
        for place, row in enumerate(rows):
            _unweigh_prompts(weights["targets"][place], row)
    return _batch(features, values, segments, weights)


def _batch(
    features: Mapping[str, Any],
    values: Mapping[str, np.ndarray],
    segments: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
) -> Batch:
    read: dict[str, np.ndarray] = {}
    for field in fed(features):
        read[field] = values[field]
        if features[field].has_segments:
            read[f"{field}_segments"] = segments[field]
    targets = features.get("targets")
    if isinstance(targets, Mapping):
        names = {key: f"targets.{key}" for key in targets}
        return read, {key: values[name] for key, name in names.items()}, {key: weights[name] for key, name in names.items()}
    if targets is None:
        ones = np.ones(len(next(iter(values.values()), [])), np.float32)
        return read, ones, ones
    return read, values["targets"], weights["targets"]


def fed(features: Mapping[str, Any]) -> list[str]:
    """Lists the fields of a batch's features: all but `targets`, which is among them only if the model is fed its targets."""
    return [
        field
        for field, feature in features.items()
        if field != "targets" or not isinstance(feature, Mapping) and feature.is_fed_back
    ]


def _row(example: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, spread: bool) -> Sequence[Mapping[str, Any]]:
    row = [] if example is None else [example] if isinstance(example, Mapping) else example
    return [flat(one) for one in row] if spread else row


def _unweigh_prompts(weight: np.ndarray, row: Sequence[Mapping[str, Any]]) -> None:
    begin = 0
    for example in row:
        if "prompt_length" in example:
            weight[begin : begin + int(example["prompt_length"])] = 0
        begin += len(example["targets"])


def _longest(rows: Sequence[Sequence[Any]], feature: Feature, limit: int | None) -> int:
    """The positions of the longest row, at least one and at most the limit."""
    longest = max(1, int(feature.positions(max([0, *(sum(map(len, row)) for row in rows)]))))
    return min(longest, limit or longest)


def _stacked(rows: Sequence[Sequence[Any]], feature: Feature) -> tuple[np.ndarray, np.ndarray]:
    """Values of fixed size, and 1 for each row that has one."""
    stacked = np.zeros((len(rows), *(size or 0 for size in feature.shape)), feature.dtype)
    real = np.zeros(len(rows), np.int32)
    for place, row in enumerate(rows):
        if row:
            stacked[place], real[place] = row[0], 1
    return stacked, real


def _padded(rows: Sequence[Sequence[Any]], feature: Feature, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Values padded or cut to a width, and the number of the example, from 1, that each value comes from; 0 is padding."""
    padded = np.zeros((len(rows), width, *(size or 0 for size in feature.shape[1:])), feature.dtype)
    real = np.zeros((len(rows), width), np.int32)
    for place, row in enumerate(rows):
        begin = 0
        for number, part in enumerate(row, 1):
            end = min(begin + len(part), width)
            padded[place, begin:end], real[place, begin:end] = part[: end - begin], number
            begin = end
    return padded, real
