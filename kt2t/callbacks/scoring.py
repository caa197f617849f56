"""Scores decoded validation examples at each epoch end (BLEU and others), and adds the scores to the logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from kt2t.callbacks.few_examples import warn_of_few
from kt2t.callbacks.logs import validation, without_validation
from kt2t.callbacks.stopping import is_stopping
from kt2t.data.answers import row_of
from kt2t.data.judging import by_name, for_each
from kt2t.data.shapes import SHAPES
from kt2t.decoding import has_source, without_answers, without_fillers


class Scoring(keras.callbacks.Callback):
    """Callback that decodes a split at each epoch end, and adds the scores of the answers to the logs, as `validation_bleu`.

    Place it before `Checkpointing(best="bleu")`, `EarlyStopping`, `TensorBoard` and `Progress`, so that they find the
    scores in the logs. Scores that are already among the metrics, such as the accuracy of a label, are not computed
    again. A model without a source, such as a language model, gets no scores: a free continuation has no reference. The
    logs of every model also get the values that `problem.derived_metrics` computes from the validation metrics, such as
    bits per byte.

    If a signal stops the run, decoding stops between two batches. The validation values of this epoch are then removed
    from the logs, so that the continued run measures the whole split.

    Attributes:
        examples: Number of examples of each score in the last evaluation, by the score's name.

    Args:
        problem: The problem, with its examples, references and scores.
        search: How to decode; by default the model's own search.
        split: The split to score.
        limit: Maximum number of examples, spread evenly over all lengths; None for all.
        rows: Number of examples of similar length to decode at a time.
        shapes: Maximum number of different shapes of the decoded batches.

    Raises:
        ValueError: `limit`, `rows` or `shapes` is not positive.
    """

    def __init__(
        self,
        problem: Any,
        search: Any = None,
        split: str = "validation",
        limit: int | None = None,
        rows: int = 64,
        shapes: int = SHAPES,
    ) -> None:
        super().__init__()
        for name, value in {"limit": limit, "rows": rows, "shapes": shapes}.items():
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} is not positive.")
        self.problem = problem
        self.search = search
        self.split = split
        self.limit = limit
        self.rows = rows
        self.shapes = shapes
        self.examples: dict[str, int] = {}
        self._references: list[Any] | None = None
        self._warned = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is None:
            return
        if is_stopping(self.model):
            without_validation(logs)
            return
        if self.split == "validation":
            derived = self.problem.derived_metrics(self.split, validation(logs))
            logs.update({f"{self.split}_{name}": value for name, (value, _) in derived.items()})
        names = by_name(self.problem.scores())
        measured = validation(logs) if self.split == "validation" else {}
        if names.keys() <= measured.keys() or not can_be_scored(self.model, self.problem):
            return
        if self._references is None:
            self._references = list(self.problem.references(self.split))
        from kt2t.training.averages import weights_averaged

        with weights_averaged(self.model):
            decoded = {}
            size = (self.limit, self.rows, self.shapes)
            for number, value in decode_split(self.model, self.problem, self.split, self.search, *size):
                if is_stopping(self.model):
                    without_validation(logs)
                    return
                decoded[number] = value
        chosen = sorted(decoded)
        scores = self.problem.score([decoded[i] for i in chosen], [self._references[i] for i in chosen])
        logs.update({f"{self.split}_{name}": float(value) for name, value in scores.items()})
        self.examples.update(dict.fromkeys(scores, len(chosen)))
        self._warned = self._warned or warn_of_few(scores, len(chosen), self.split)


def can_be_scored(model: Any, problem: Any) -> bool:
    """Whether a model's answers can be scored: the model has a method `answer`, and the problem has a source to answer."""
    return hasattr(model, "answer") and has_source(problem.features())


def decode_split(
    model: Any,
    problem: Any,
    split: str,
    search: Any = None,
    limit: int | None = None,
    rows: int = 64,
    shapes: int = SHAPES,
) -> Iterator[tuple[int, Any]]:
    """Decodes the examples of a split; yields each example's index in the split and its best answer, in order of length.

    Args:
        model: The model, whose `answer` decodes.
        problem: The problem, which supplies batches and decodes ids to values.
        split: Name of the split.
        search: How to decode; by default the model's own search.
        limit: Maximum number of examples, in batches that are evenly spaced from the shortest to the longest; None for
            all.
        rows: Number of examples to decode at a time.
        shapes: Maximum number of different shapes of the batches.
    """
    rows = min(rows, limit or rows)
    batches = problem.batches(split, rows=rows, shapes=shapes, shuffle=False)
    left = len(batches) * rows if limit is None else limit
    for number in _evenly(len(batches), -(-left // rows)):
        features, *_ = batches.batch(number)
        indices = batches.plan.batch(number).indices
        features = without_fillers(without_answers(features), indices)
        best = for_each(model.answer(features, search=search, draw=number)["values"], lambda values: values[:, 0])
        for row, index in enumerate(indices):
            if index >= 0 and left > 0:
                left -= 1
                yield int(index), problem.decode("targets", row_of(best, row))


def _evenly(count: int, wanted: int) -> list[int]:
    """Returns `wanted` evenly spaced indices below `count`; all indices below `count` if `wanted` is larger."""
    wanted = min(wanted, count)
    return [int((place + 0.5) * count / wanted) for place in range(wanted)]
