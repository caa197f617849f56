"""A trained run as a function: lines in, the model's answers out, in the same order and as soon as they are there."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.answers import each_value, row_of
from kt2t.errors import DataError, RunError
from kt2t.features import END
from kt2t.run.restore import restored

FIRST, MOST = 16, 2048  # lines that are answered together, at first and later on
ROWS = 32  # of a batch of fields without a length, such as pictures
logger = logging.getLogger("kt2t")


class Predictor:
    """A run, loaded once, that answers lines; it needs the run folder and none of the training data.

    A line is what `Problem.read` takes for `inputs`: a text, or the path of a picture or recording. A blank line is answered
    with a blank line. A model that reads no `inputs` continues each line; from a blank line it starts a text of its own.

    Args:
        run: The run folder.
        checkpoint: `last`, `best`, `average` or a step.
        overrides: Of the search, such as `report.decode.beams=8`.

    Raises:
        RuntimeError: The run or its checkpoint is missing or damaged, or its model cannot answer.
    """

    def __init__(self, run: Path, checkpoint: str | None = None, overrides: Sequence[str] = ()) -> None:
        found = restored(Path(run), checkpoint, overrides)
        self.problem = found.assembly.problem
        self.model = found.assembly.model
        self.search = found.assembly.search
        self.step = found.step
        if not hasattr(self.model, "answer"):
            raise RunError(f"{type(self.model).__name__} has no `answer`, which predicting needs; use `kt2t evaluate`.")
        self.field = "inputs" if "inputs" in self.problem.features() else "targets"
        self.reads_files = self.problem.reads_files(self.field)
        self._batches = itertools.count()

    def __call__(self, lines: Sequence[str]) -> list[str]:
        """The best answer to each line, in the same order."""
        return list(self.lines(lines))

    def lines(self, lines: Iterable[str], **options: Any) -> Iterator[str]:
        """An answer to each line, in the same order; the options are those of `chunks`."""
        left = iter(lines)
        return self.chunks(lambda most: list(itertools.islice(left, most)), **options)

    def documents(self, texts: Iterable[str], as_json: bool = False) -> Iterator[str]:
        """An answer to each text of many lines, in the same order; the answers keep their lines.

        Line ends at the end of a text are no part of the inputs of a model, but a language model goes on behind them.
        """
        given = (text.rstrip("\n") if self.field == "inputs" else text for text in texts)
        return self.lines(given, as_json=as_json, source="documents", keep_lines=True)

    def chunks(
        self,
        take: Callable[[int], list[str]],
        tokens: int = 8192,
        as_json: bool = False,
        progress: Any = None,
        source: str | None = "lines",
        most: int = MOST,
        keep_lines: bool = False,
    ) -> Iterator[str]:
        """An answer to each line that `take` gives, in the same order, each as soon as those before it are there.

        The first few lines are answered together, later ones up to 2,048 together: in batches of similar length.

        Args:
            take: Gives the next lines without their ends, at most as many as it is told; none at the end.
            tokens: Source positions per batch, padding counted.
            as_json: Whether an answer is a JSON object with all hypotheses and their scores.
            progress: Called with how many are done, of how many (None: nobody knows), and of what.
            source: Where the lines come from, for errors; None where a line names itself.
            most: Lines that are answered together.
            keep_lines: Whether an answer of several lines stays so; otherwise it becomes one line.

        Raises:
            DataError: A line that does not fit its field; it is named, after all lines before it were answered.
        """
        done, size = 0, min(FIRST, most)
        while lines := take(size):
            for answer in self._answered(lines, done, tokens, as_json, source, keep_lines):
                done += 1
                yield answer
            if progress is not None:
                progress(done, None, "lines")
            size = min(2 * size, most)

    def _answered(
        self, lines: list[str], before: int, tokens: int, as_json: bool, source: str | None, keep_lines: bool
    ) -> Iterator[str]:
        """The answers to some lines; `before` lines came before them."""
        blank = [self.field == "inputs" and not line.strip() for line in lines]
        places = [place for place in range(len(lines)) if not blank[place]]
        examples, error = self._encoded([lines[place] for place in places])
        end = len(lines) if error is None else places[len(examples)]
        answers: list[str | None] = ["" if blank[place] else None for place in range(end)]
        shown = 0
        for rows, found in self._found(examples, tokens):
            for row, number in enumerate(rows):
                if number >= 0:
                    answers[places[number]] = self._told(found, row, as_json, keep_lines)
            while shown < end and (answer := answers[shown]) is not None:
                yield answer
                shown += 1
        yield from (answer or "" for answer in answers[shown:])
        if error is not None:
            if source is None:
                raise DataError(str(error)) from error
            raise DataError(str(error), file=source, line=before + end + 1) from error

    def _encoded(self, lines: list[str]) -> tuple[list[dict[str, np.ndarray]], ValueError | None]:
        """The lines as examples; where one does not fit, those before it and the error."""
        try:
            return self._encode(lines), None
        except ValueError:
            pass
        encoded: list[dict[str, np.ndarray]] = []
        for line in lines:
            try:
                encoded += self._encode([line])
            except ValueError as error:
                return encoded, error
        return encoded, None

    def _encode(self, lines: list[str]) -> list[dict[str, np.ndarray]]:
        raw = [{self.field: self.problem.read(self.field, line)} for line in lines]
        try:
            encoded = self.problem.encode_all(raw)
        except KeyError as error:
            kind = type(self.problem).__name__
            raise RunError(
                f"{kind}.encode needs the field {error}, which `predict` does not have. Let it encode the fields there are."
            ) from error
        encoded = [self.problem.transform("validation", example, None) for example in encoded]
        return encoded if self.field == "inputs" else [{"targets": _begun(example["targets"])} for example in encoded]

    def _found(
        self, examples: Sequence[dict[str, np.ndarray]], tokens: int
    ) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """The model's answers batch by batch, each with the numbers of its examples; -1 is a row that is none."""
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
            plan = Plan({self.field: lengths}, tokens=max(tokens, int(lengths.max())), shuffle=False, max_length=longest)
        else:
            plan = Plan({}, count=len(examples), rows=ROWS, shuffle=False)
        for batch in plan.epoch(0):
            indices = _few_sizes(batch.indices)
            rows = [examples[index] if index >= 0 else None for index in indices]
            given = without_fillers(collate(rows, features, batch.shape)[0], indices)
            yield indices, self.model.answer(given, search=self.search, draw=next(self._batches))

    def _told(self, found: Mapping[str, Any], row: int, as_json: bool, keep_lines: bool) -> str:
        hypotheses = []
        for place, value in enumerate(self._hypotheses(row_of(found["values"], row))):
            decoded = self.problem.decode("targets", value)
            text = self.problem.written("targets", decoded)
            if not as_json:
                return text if keep_lines else " ".join(text.splitlines())
            hypothesis: dict[str, Any] = {"text": text}
            if not isinstance(decoded, str):
                hypothesis["value"] = _plain(decoded)
            if "scores" in found:
                hypothesis["score"] = round(float(found["scores"][row][place]), 6)
                hypothesis["cut"] = END not in value  # the limit on an answer's length cut it off
            hypotheses.append(hypothesis)
        best = {name: value for name, value in hypotheses[0].items() if name not in ("score", "cut")}
        return json.dumps({**best, "hypotheses": hypotheses}, ensure_ascii=False)

    def _hypotheses(self, found: Any) -> list[Any]:
        """The values of a row, best first."""
        targets: Any = self.problem.features()["targets"]
        if not isinstance(targets, Mapping):
            return list(each_value(found, targets))
        several = {key: each_value(found[key], kind) for key, kind in targets.items()}
        return [dict(zip(several, values, strict=True)) for values in zip(*several.values(), strict=True)]


def _begun(ids: np.ndarray) -> np.ndarray:
    """A text without the end of it, so that it goes on."""
    return ids[:-1] if len(ids) and ids[-1] == END else ids


def _few_sizes(indices: np.ndarray) -> np.ndarray:
    """On JAX, which compiles every shape anew, the rows filled up to a power of two."""
    import keras

    if keras.backend.backend() == "tensorflow":
        return indices
    rows = 1 << (len(indices) - 1).bit_length()
    return np.concatenate([indices, np.full(rows - len(indices), -1, indices.dtype)])


def _plain(value: Any) -> Any:
    """A decoded value as JSON has it."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return np.asarray(value).tolist() if isinstance(value, np.ndarray | np.generic) else value
