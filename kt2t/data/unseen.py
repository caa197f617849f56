"""Encodes raw examples that no prepared data holds, such as the lines of `kt2t predict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kt2t.errors import DataError, RunError
from kt2t.features import END

if TYPE_CHECKING:
    from kt2t.data.problem import Problem


def main_field(problem: Problem) -> str:
    """Names the field that a single text belongs to: `inputs`, or `targets` for a language model, which continues it."""
    return "inputs" if "inputs" in problem.features() else "targets"


def encode_unseen(problem: Problem, examples: Sequence[Any]) -> list[dict[str, np.ndarray]]:
    """Encodes examples without their answers: an array for each field that a model reads.

    Args:
        problem: Its vocabularies must be trained.
        examples: Each a text, or another raw value, of the main field, or a dict of raw values by field. A text is what
            `Problem.read` takes: a line, or the path of a picture or recording.

    Raises:
        DataError: A value does not fit its field, or a field is missing.
        RunError: The problem's `encode` needs the answer.
    """
    field = main_field(problem)
    raw = [_raw(problem, example, field) for example in examples]
    try:
        encoded = problem.encode_all(raw)
    except KeyError as error:
        kind = type(problem).__name__
        raise RunError(
            f"{kind}.encode needs the field {error}, which `predict` does not have. Let it encode the fields there are."
        ) from error
    encoded = [problem.transform("validation", example, None) for example in encoded]
    read = [name for name in problem.features() if name != "targets" or field == "targets"]
    for one, example in zip(raw, encoded, strict=True):
        for name in read:
            if name not in example:
                raise DataError(
                    f"the model reads {name!r}, which this example does not have. It has: {', '.join(map(repr, one))}. "
                    "In Python an example may be a dict of all fields."
                )
    rows = [{name: example[name] for name in read} for example in encoded]
    return [{**row, "targets": _begun(row["targets"])} for row in rows] if field == "targets" else rows


def batch_of(problem: Problem, examples: Sequence[Any]) -> dict[str, np.ndarray]:
    """Encodes examples, as `encode_unseen` takes them, to the features of one batch, with segments.

    Raises:
        DataError: There are none, or one does not fit; it is named.
    """
    from kt2t.data.padding import collate

    if isinstance(examples, str | Mapping) or not len(examples):
        raise DataError(f"{examples!r}: a list of examples is wanted, and at least one.")
    encoded = encode_unseen(problem, examples)
    features = {name: kind for name, kind in problem.features().items() if name in encoded[0]}
    return collate(encoded, features, max_length=problem.max_length)[0]


def _raw(problem: Problem, example: Any, field: str) -> dict[str, Any]:
    if example is None or isinstance(example, bool | int | float):
        raise DataError(f"{example!r} is no example: give a text, or a dict of fields such as {{{field!r}: …}}.")
    values = example if isinstance(example, Mapping) else {field: example}
    return {name: problem.read(name, value) if isinstance(value, str) else value for name, value in values.items()}


def _begun(ids: np.ndarray) -> np.ndarray:
    """A text without the end of it, so that it goes on."""
    return ids[:-1] if len(ids) and ids[-1] == END else ids
