"""Answers examples with a trained run, in order, each as soon as its answer and those before it are ready."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.unseen import encode_unseen, main_field
from kt2t.errors import DataError, RunError
from kt2t.run.hypotheses import as_json as json_line
from kt2t.run.hypotheses import as_line, as_text, hypotheses
from kt2t.run.restore import restored

FIRST, MOST = 16, 2048  # number of lines answered together: at first, and at most
TOKENS = 8192  # source positions of a batch, padding counted
ROWS = 32  # rows of a batch of examples without a length, such as pictures
Show = Callable[[Iterator[dict[str, Any]]], Any]
_WAITING = object()  # marks an answer that is not ready yet
logger = logging.getLogger("kt2t")


class Predictor:
    """A trained run, loaded once, that answers lines. Needs the run folder but no training data.

    A line is a text, or the path of a picture or recording if the model reads such files. A blank line gets a blank
    answer. A model without `inputs`, such as a language model, continues each line; from a blank line it starts a new
    text.

    Args:
        run: The run folder.
        checkpoint: `last`, `best`, `average` or a step. Default: `best` if the recipe sets `report.best`, else `last`.
        overrides: `KEY=VALUE` for the search, such as `report.decode.beams=8`.
        trains: Whether to compile the model with its optimizer, so that it can also be trained and evaluated; loading
            then takes longer.

    Raises:
        RuntimeError: The run or its checkpoint is missing or damaged, or its model cannot answer.
    """

    def __init__(
        self, run: Path, checkpoint: str | None = None, overrides: Sequence[str] = (), trains: bool = False
    ) -> None:
        found = restored(Path(run), checkpoint, overrides, trains=trains)
        self.recipe = found.assembly.recipe
        self.problem = found.assembly.problem
        self.model = found.assembly.model
        self.search = found.assembly.search
        self.step = found.step
        if not hasattr(self.model, "answer"):
            raise RunError(f"{type(self.model).__name__} has no `answer`, which predicting needs; use `kt2t evaluate`.")
        self.field = main_field(self.problem)
        self.reads_files = self.problem.reads_files(self.field)
        self._batches = itertools.count()

    def __call__(self, lines: Sequence[str]) -> list[str]:
        """Returns the best answer to each line, in the same order."""
        return list(self.lines(lines))

    def lines(self, lines: Iterable[str], **options: Any) -> Iterator[str]:
        """Yields the best answer to each line, in order; the options are those of `chunks`."""
        left = iter(lines)
        return self.chunks(lambda most: list(itertools.islice(left, most)), **options)

    def documents(self, texts: Iterable[str], as_json: bool = False) -> Iterator[str]:
        """Yields the best answer to each text of several lines, in order. The answers keep their line ends.

        Line feeds at the end of a text are removed, but not for a language model, which continues after them.

        Args:
            texts: The texts.
            as_json: Whether an answer is a JSON object with all hypotheses and their scores.
        """
        given = (text.rstrip("\n") if self.field == "inputs" else text for text in texts)
        return self.lines(given, as_json=as_json, source="documents", keep_lines=True)

    def chunks(
        self,
        take: Callable[[int], list[str]],
        tokens: int = TOKENS,
        as_json: bool = False,
        progress: Any = None,
        source: str | None = "lines",
        most: int = MOST,
        keep_lines: bool = False,
    ) -> Iterator[str]:
        """Yields the answer to each line that `take` returns, in order, each as soon as it and those before it are ready.

        The first 16 lines are answered together, then twice as many each time, up to `most`, in batches of lines of
        similar length.

        Args:
            take: Function (n) → the next lines, at most n, without line ends; an empty list at the end.
            tokens: Maximum number of source positions per batch, padding counted.
            as_json: Whether an answer is a JSON object with all hypotheses and their scores.
            progress: Function (done, total, what), called after each chunk of lines; the total is None, since it is
                unknown.
            source: Name of the lines' file in error messages; None if a line already names itself, as a path does.
            most: Maximum number of lines answered together.
            keep_lines: Whether an answer keeps its line ends; otherwise it becomes one line.

        Raises:
            DataError: A line does not fit its field. It is raised after all earlier lines were answered, and names the
                line.
        """
        show: Show = json_line if as_json else as_text if keep_lines else as_line
        done, size = 0, min(FIRST, most)
        while lines := take(size):
            for answer in self.answers(lines, show, done, tokens, source):
                done += 1
                yield answer or ""
            if progress is not None:
                progress(done, None, "lines")
            size = min(2 * size, most)

    def answers(
        self,
        examples: Sequence[Any],
        show: Show,
        before: int = 0,
        tokens: int = TOKENS,
        source: str | None = None,
        search: Any = None,
    ) -> Iterator[Any]:
        """Yields `show(hypotheses)` for each example, in order; None for a blank line.

        Args:
            examples: Lines, or other examples that `encode_unseen` accepts, such as dicts of raw values by field.
            show: Function that receives an iterator over an example's hypotheses, best first.
            before: Number of examples before these, for line numbers in error messages.
            tokens: Maximum number of source positions per batch, padding counted.
            source: Name of the examples' file in error messages; None if an example already names itself, as a path
                does.
            search: Replaces the run's search.

        Raises:
            DataError: An example does not fit its field. It is raised after all earlier examples were answered, and
                names the example.
        """
        blank = [self.field == "inputs" and isinstance(one, str) and not one.strip() for one in examples]
        places = [place for place in range(len(examples)) if not blank[place]]
        encoded, error = self._encoded([examples[place] for place in places])
        end = len(examples) if error is None else places[len(encoded)]
        answers = [None if blank[place] else _WAITING for place in range(end)]
        shown = 0
        for rows, found in self._found(encoded, tokens, search or self.search):
            for row, number in enumerate(rows):
                if number >= 0:
                    answers[places[number]] = show(hypotheses(self.problem, found, row))
            while shown < end and answers[shown] is not _WAITING:
                yield answers[shown]
                shown += 1
        yield from answers[shown:]
        if error is not None:
            place: dict[str, Any] = {} if source is None else {"file": source, "line": before + end + 1}
            raise DataError(str(error), **place) from error

    def _encoded(self, examples: list[Any]) -> tuple[list[dict[str, np.ndarray]], ValueError | None]:
        """Encodes the examples as arrays by field. If an example does not fit, returns those before it, and the error."""
        try:
            return encode_unseen(self.problem, examples), None
        except ValueError:
            pass
        encoded: list[dict[str, np.ndarray]] = []
        for example in examples:
            try:
                encoded += encode_unseen(self.problem, [example])
            except ValueError as error:
                return encoded, error
        return encoded, None

    def _found(
        self, examples: Sequence[dict[str, np.ndarray]], tokens: int, search: Any
    ) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """Yields the model's answers batch by batch, each with the indices of the batch's examples; -1 for a filling row."""
        from kt2t.data.lengths import limits_of
        from kt2t.data.padding import collate
        from kt2t.data.plan import Plan
        from kt2t.decoding import without_fillers

        if not examples:
            return
        fields = self.problem.features()
        longest = limits_of(self.problem.max_length, fields).get(self.field)
        features = {name: kind for name, kind in fields.items() if name in examples[0]}
        kind = features[self.field]
        if kind.has_segments:
            lengths = np.maximum(kind.positions([len(example[self.field]) for example in examples]), 1)
            if longest is not None and (cut := int((lengths > longest).sum())):
                logger.warning("%d lines are longer than %d tokens and were cut.", cut, longest)
            plan = Plan(
                {self.field: lengths}, tokens=max(tokens, int(lengths.max())), shuffle=False, max_length=longest
            )
        else:
            plan = Plan({}, count=len(examples), rows=ROWS, shuffle=False)
        for batch in plan.epoch(0):
            indices = _few_sizes(batch.indices)
            rows = [examples[index] if index >= 0 else None for index in indices]
            given = without_fillers(collate(rows, features, batch.shape)[0], indices)
            yield indices, self.model.answer(given, search=search, draw=next(self._batches))


def _few_sizes(indices: np.ndarray) -> np.ndarray:
    """Fills up the rows to a power of two on JAX, which compiles every shape anew; -1 marks the added rows."""
    import keras

    if keras.backend.backend() == "tensorflow":
        return indices
    rows = 1 << (len(indices) - 1).bit_length()
    return np.concatenate([indices, np.full(rows - len(indices), -1, indices.dtype)])
