"""Scores decoded validation examples at each epoch end: BLEU and its like, as a metric among the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kt2t.callbacks.logs import validation, without_validation
from kt2t.callbacks.stopping import is_stopping
from kt2t.data.shapes import SHAPES
from kt2t.decoding import has_source, without_fillers


class Scoring(keras.callbacks.Callback):
    """Decodes a split and puts what `problem.score` says into the logs, as `validation_bleu` and so on.

    Callbacks see the logs in their order, so this one stands first: `Checkpointing(best="bleu")`, `EarlyStopping`,
    `TensorBoard` and `Progress` behind it find the scores. A model that does not generate has no such scores, nor has
    one that reads no source, whose answers nothing makes right or wrong. A run that is told to stop stops between two
    batches; then the epoch has no validation values, so that it is measured as a whole when the run goes on. What
    `problem.derived_metrics` makes of the validation metrics, such as bits per byte, stands in the logs of all.

    Args:
        problem: Gives examples, references and scores.
        search: How to decode; the model's own default without one.
        split: Which examples.
        limit: How many at most, spread evenly over all lengths; None for all.
        rows: Examples decoded at a time, of similar length.
        shapes: The most shapes that these may have.

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
        self._references: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is None:
            return
        if is_stopping(self.model):
            without_validation(logs)
            return
        if self.split == "validation":
            derived = self.problem.derived_metrics(self.split, validation(logs))
            logs.update({f"{self.split}_{name}": value for name, (value, _) in derived.items()})
        if not hasattr(self.model, "generate"):
            return
        if not self.problem.scores() or not has_source(self.problem.features()):
            return
        if self._references is None:
            self._references = list(self.problem.references(self.split))
        from kt2t.training.averages import weights_averaged

        with weights_averaged(self.model):
            decoded = {}
            size = (self.limit, self.rows, self.shapes)
            for number, text in decode_split(self.model, self.problem, self.split, self.search, *size):
                if is_stopping(self.model):
                    without_validation(logs)
                    return
                decoded[number] = text
        chosen = sorted(decoded)
        scores = self.problem.score([decoded[i] for i in chosen], [self._references[i] for i in chosen])
        logs.update({f"{self.split}_{name}": float(value) for name, value in scores.items()})


def decode_split(
    model: Any,
    problem: Any,
    split: str,
    search: Any = None,
    limit: int | None = None,
    rows: int = 64,
    shapes: int = SHAPES,
) -> Iterator[tuple[int, str]]:
    """The number of each example of a split and its best decoded text, in order of length.

    Args:
        limit: How many examples at most: whole batches evenly spaced from the shortest to the longest.
        rows: Examples decoded at a time.
        shapes: The most shapes that these may have.
    """
    rows = min(rows, limit or rows)
    batches = problem.batches(split, rows=rows, shapes=shapes, shuffle=False)
    left = len(batches) * rows if limit is None else limit
    for number in _evenly(len(batches), -(-left // rows)):
        features, *_ = batches.batch(number)
        indices = batches.plan.batch(number).indices
        features = without_fillers(features, indices)
        ids = np.asarray(model.generate(features, search=search, draw=number)["ids"])[:, 0]
        for index, hypothesis in zip(indices, ids, strict=True):
            if index >= 0 and left > 0:
                left -= 1
                yield int(index), problem.decode("targets", hypothesis)


def _evenly(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` places, evenly spaced; all of them where there are no more."""
    wanted = min(wanted, count)
    return [int((place + 0.5) * count / wanted) for place in range(wanted)]
