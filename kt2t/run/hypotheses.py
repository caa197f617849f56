"""Decodes the model's answers to an example, and formats them for `kt2t predict`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kt2t.data.answers import each_value, row_of
from kt2t.data.problem import Problem
from kt2t.features import END


def hypotheses(problem: Problem, found: Mapping[str, Any], row: int) -> Iterator[dict[str, Any]]:
    """Decodes the answers in a row of what `Model.answer` returned, best first.

    Yields:
        `value`, as `Problem.decode` gives it; `text`, the value as text; and where there are scores `score`, a
        log-probability, and `cut`: whether the limit on an answer's length cut it off.
    """
    for place, value in enumerate(_values(problem, row_of(found["values"], row))):
        decoded = problem.decode("targets", value)
        hypothesis: dict[str, Any] = {"text": problem.written("targets", decoded), "value": decoded}
        if "scores" in found:
            hypothesis["score"] = round(float(found["scores"][row][place]), 6)
            hypothesis["cut"] = END not in value
        yield hypothesis


def as_text(found: Iterator[dict[str, Any]]) -> str:
    """Returns the best answer as text, with its line ends."""
    text: str = next(found)["text"]
    return text


def as_line(found: Iterator[dict[str, Any]]) -> str:
    """Returns the best answer as one line of text."""
    return " ".join(as_text(found).splitlines())


def as_json(found: Iterator[dict[str, Any]]) -> str:
    """Returns all answers as one line of JSON; the best one also stands at the top level."""
    answers = [_plain_values(one) for one in found]
    best = {name: value for name, value in answers[0].items() if name not in ("score", "cut")}
    return json.dumps({**best, "hypotheses": answers}, ensure_ascii=False)


def _plain_values(hypothesis: dict[str, Any]) -> dict[str, Any]:
    """A hypothesis as JSON has it, without the value where it is the text."""
    value = hypothesis["value"]
    if isinstance(value, str):
        return {name: one for name, one in hypothesis.items() if name != "value"}
    return {**hypothesis, "value": _plain(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return np.asarray(value).tolist() if isinstance(value, np.ndarray | np.generic) else value


def _values(problem: Problem, found: Any) -> list[Any]:
    """The values of a row, best first."""
    targets: Any = problem.features()["targets"]
    if not isinstance(targets, Mapping):
        return list(each_value(found, targets))
    several = {key: each_value(found[key], kind) for key, kind in targets.items()}
    return [dict(zip(several, values, strict=True)) for values in zip(*several.values(), strict=True)]
