"""Checks the features that a script gives to a model, and encodes texts where the model has the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np


def checked_features(
    given: Any, needed: Iterable[str], reader: str, encode: Callable[[list[Any]], dict[str, Any]] | None = None
) -> Mapping[str, Any]:
    """Returns the features as a dict after a check that no needed field is missing; encodes texts with `encode`.

    Args:
        given: A dict of arrays by field; a text or a list of texts if there is an `encode`.
        needed: The fields that the model reads.
        reader: The name of the model's class.
        encode: Makes features of a list of texts.

    Raises:
        ValueError: A field is missing, or `given` is neither a dict nor texts that can be encoded.
    """
    if isinstance(given, Mapping):
        missing = [name for name in needed if name not in given]
        if not missing:
            return given
        also = " Targets are given twice: among the features, where the model shifts them, and as `y`."
        raise ValueError(
            f"features: {reader} reads {missing[0]!r}, which is missing. There are: {', '.join(map(repr, given)) or 'none'}."
            + (also if missing[0] == "targets" else "")
        )
    texts = _texts(given)
    if texts and encode is not None:
        return encode(texts)
    if texts:
        raise ValueError(
            f"features: {reader} was given texts, and it has no vocabulary to encode them. Give "
            "`problem.batch_of(texts)`, or open a trained run with `kt2t.load(run)`: its model takes texts."
        )
    fields = ", ".join(f"{name!r}: …" for name in needed)
    kind = type(given).__name__
    raise ValueError(
        f"features: {reader} reads a dict of arrays, {{{fields}}}, and was given {kind}. `problem.batches` and "
        "`problem.sample` give such dicts."
    )


def _texts(given: Any) -> list[Any]:
    """Returns the texts or examples in `given` as a list; an empty list if it holds anything else."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, np.ndarray) and given.dtype.kind in "UO":
        given = given.tolist()
    if isinstance(given, list | tuple) and all(isinstance(one, str | Mapping) for one in given):
        return list(given)
    return []
