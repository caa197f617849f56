"""Decodes the model's answers (hypotheses) to an example, and formats them as text or JSON for `kt2t predict`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kt2t.data.answers import each_value, row_of
from kt2t.data.problem import Problem
from kt2t.features import END


def hypotheses(problem: Problem, found: Mapping[str, Any], row: int) -> Iterator[dict[str, Any]]:
    """Yields the decoded answers to one example, best first.

    Args:
        problem: The problem, which decodes values.
        found: The result of `Model.answer` for a batch: `values`, and `scores` if the search gives them.
        row: The example's row in the batch.

    Yields:
        A dict of `value` (as `Problem.decode` returns it) and `text` (the value as text). With scores, also `score`, a
        log-probability, and `cut`, which is True if the maximum length cut the answer off.
    """
    for place, value in enumerate(_values(problem, row_of(found["values"], row))):
        decoded = problem.decode("targets", value)
        hypothesis: dict[str, Any] = {"text": problem.written("targets", decoded), "value": decoded}
        if "scores" in found:
            hypothesis["score"] = round(float(found["scores"][row][place]), 6)
            hypothesis["cut"] = END not in value
        yield hypothesis


def as_text(found: Iterator[dict[str, Any]]) -> str:
    """Returns the text of the best answer, unchanged. `found` is the iterator that `hypotheses` returns."""
    text: str = next(found)["text"]
    return text


def as_line(found: Iterator[dict[str, Any]]) -> str:
    """Returns the text of the best answer as one line, with its line ends replaced by spaces."""
    return " ".join(as_text(found).splitlines())


def as_json(found: Iterator[dict[str, Any]]) -> str:
    """Returns all answers to an example as one line of JSON.

    The object holds the best answer's `text` and `value` at the top level, and a list of all answers under
    `hypotheses`. `value` is left out where it equals the text.
    """
    answers = [_plain_values(one) for one in found]
    best = {name: value for name, value in answers[0].items() if name not in ("score", "cut")}
    return json.dumps({**best, "hypotheses": answers}, ensure_ascii=False)


def _plain_values(hypothesis: dict[str, Any]) -> dict[str, Any]:
    """Returns a hypothesis as values that JSON can hold, without `value` if that is a text."""
    value = hypothesis["value"]
    if isinstance(value, str):
        return {name: one for name, one in hypothesis.items() if name != "value"}
    return {**hypothesis, "value": _plain(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return np.asarray(value).tolist() if isinstance(value, np.ndarray | np.generic) else value


def _values(problem: Problem, found: Any) -> list[Any]:
    """Returns the raw answers in a row, best first; each is a dict if the problem has several targets."""
    targets: Any = problem.features()["targets"]
    if not isinstance(targets, Mapping):
        return list(each_value(found, targets))
    several = {key: each_value(found[key], kind) for key, kind in targets.items()}
    return [dict(zip(several, values, strict=True)) for values in zip(*several.values(), strict=True)]
