"""Finds fields of variable length, and the limits of their lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kt2t.errors import RecipeError
from kt2t.features import Feature, flat
from kt2t.options import nearest

MaxLength = int | Mapping[str, int] | None


def own_lengths(features: Mapping[str, Any]) -> dict[str, Feature]:
    """Returns the fields of variable length, by flat name, without those that share another field's segments."""
    fields = flat(features)
    return {
        field: feature
        for field, feature in fields.items()
        if feature.has_segments and segment_source(fields, field) == field
    }


def segment_source(fields: Mapping[str, Feature], field: str) -> str:
    """Returns the field whose segments a field uses: its own, or those of the field that it shares with, if present."""
    source = fields[field].shares_segments_with
    return source if source in fields and fields[source].has_segments else field


def check_max_length(max_length: MaxLength) -> None:
    """Raises a ValueError for a length that is not positive."""
    limits = max_length if isinstance(max_length, Mapping) else {"": max_length}
    for field, limit in limits.items():
        if limit is not None and limit < 1:
            raise ValueError(f"max_length{'.' if field else ''}{field}: {limit} is not positive.")


def limits_of(max_length: MaxLength, features: Mapping[str, Any]) -> dict[str, int]:
    """Returns the maximum number of positions of each field of variable length; unlimited fields are missing.

    Args:
        max_length: One number for every field, a number for each named field, or None. A dict of targets is named as a
            whole (`targets`) or by its keys (`targets.tags`).
        features: The features of the problem.

    Raises:
        RecipeError: A name that is no field, or a field that has no length.
    """
    fields = flat(features)
    limits: dict[str, int] = {}
    for name, limit in _by_field(max_length, fields).items():
        source = segment_source(fields, name)
        limits[source] = min(limit, limits.get(source, limit))
    return limits


def _by_field(max_length: MaxLength, fields: Mapping[str, Feature]) -> dict[str, int]:
    if max_length is None:
        return {}
    long = [field for field, feature in fields.items() if feature.has_segments]
    if not isinstance(max_length, Mapping):
        return dict.fromkeys(long, max_length)
    limits = {}
    for name, limit in max_length.items():
        named = [field for field in long if field == name or field.startswith(f"{name}.")]
        if not named:
            reason = f"{fields[name]!r} has no length." if name in fields else nearest(name, long)
            raise RecipeError(f"{name!r} is not a field with a length. {reason}".rstrip(), path="problem.max_length")
        limits.update(dict.fromkeys(named, limit))
    return limits
