"""Lines in, lines out: a trained run as a function of text."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.sources.lines import text_of, with_feeds
from kt2t.errors import DataError, RunError
from kt2t.features import END
from kt2t.run.restore import restored

logger = logging.getLogger("kt2t")


class Predictor:
    """A run, loaded once, that answers lines; it needs the run folder and none of the training data.

    A model that reads no `inputs` takes each line as the beginning of a text and answers with the whole; an empty line
    begins nothing.

    Args:
        run: The run folder.
        checkpoint: `last`, `best`, `average` or a step.
        overrides: Of the search, such as `report.decode.beams=8`.

    Raises:
        RuntimeError: The run or its checkpoint is missing or damaged, or its model does not answer with text.
    """

    def __init__(self, run: Path, checkpoint: str | None = None, overrides: Sequence[str] = ()) -> None:
        found = restored(Path(run), checkpoint, overrides)
        self.problem = found.assembly.problem
        self.model = found.assembly.model
        self.search = found.assembly.search
        self.step = found.step
        if not hasattr(self.model, "generate"):
            raise RunError(f"{type(self.model).__name__} does not generate text; use `kt2t evaluate`.")
        self.field = "inputs" if "inputs" in self.problem.features() else "targets"

    def __call__(self, lines: Sequence[str]) -> list[str]:
        """The best answer to each line, in the same order."""
        return list(self.lines(lines))

    def lines(
        self,
        lines: Sequence[str],
        tokens: int = 8192,
        as_json: bool = False,
        progress: Any = None,
        source: str = "lines",
    ) -> Iterator[str]:
        """An answer to each line, in the same order; decoded in batches of similar length.

        Args:
            lines: Without line ends.
            tokens: Source positions per batch, padding counted.
            as_json: Whether an answer is a JSON object with all hypotheses and their scores.
            progress: Called with how many are done, of how many, and of what.
            source: Where the lines come from, for errors.

        Raises:
            DataError: A line that the vocabulary does not know; it is named.
        """
        answers: list[str | None] = [None] * len(lines)
        done = 0
        for places, decoded in self._decoded(self._encoded(lines, source), tokens):
            for row, place in enumerate(places):
                if place >= 0:
                    answers[place] = self._answer(decoded, row, as_json)
                    done += 1
            if progress is not None:
                progress(done, len(lines), "lines")
        yield from (answer or "" for answer in answers)

    def _encoded(self, lines: Sequence[str], source: str) -> list[dict[str, np.ndarray]]:
        examples = [{self.field: line} for line in lines]
        try:
            encoded = self.problem.encode_all(examples)
        except ValueError:
            for number, example in enumerate(examples, 1):
                try:
                    self.problem.encode_all([example])
                except ValueError as error:
                    raise DataError(str(error), file=source, line=number) from error
            raise
        return encoded if self.field == "inputs" else [{"targets": _begun(example["targets"])} for example in encoded]

    def _decoded(
        self, examples: Sequence[dict[str, np.ndarray]], tokens: int
    ) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        from kt2t.data.lengths import limits_of
        from kt2t.data.padding import collate
        from kt2t.data.plan import Plan
        from kt2t.decoding import without_fillers

        if not examples:
            return
        fields = self.problem.features()
        longest = limits_of(self.problem.max_length, fields).get(self.field)
        lengths = fields[self.field].positions([max(1, len(example[self.field])) for example in examples])
        if longest is not None and (cut := int((lengths > longest).sum())):
            logger.warning("%d lines are longer than %d tokens and were cut.", cut, longest)
        features = {name: kind for name, kind in fields.items() if name in examples[0]}
        plan = Plan({self.field: lengths}, tokens=max(tokens, int(lengths.max())), shuffle=False, max_length=longest)
        for number, batch in enumerate(plan.epoch(0)):
            rows = [examples[index] if index >= 0 else None for index in batch.indices]
            asked = without_fillers(collate(rows, features, batch.shape)[0], batch.indices)
            found = self.model.generate(asked, search=self.search, draw=number)
            yield batch.indices, {name: np.asarray(value) for name, value in found.items()}

    def _answer(self, decoded: dict[str, np.ndarray], row: int, as_json: bool) -> str:
        texts = [self.problem.decode("targets", ids) for ids in decoded["ids"][row]]
        if not as_json:
            return " ".join(texts[0].splitlines())
        scores = [round(float(score), 6) for score in decoded["scores"][row]]
        cut = [END not in ids for ids in decoded["ids"][row]]  # by the limit on an answer's length
        hypotheses = [
            {"text": text, "score": score, "cut": short} for text, score, short in zip(texts, scores, cut, strict=True)
        ]
        return json.dumps({"text": texts[0], "hypotheses": hypotheses}, ensure_ascii=False)


def _begun(ids: np.ndarray) -> np.ndarray:
    """A text without the end of it, so that it goes on."""
    return ids[:-1] if len(ids) and ids[-1] == END else ids


def lines_of(data: bytes, name: str) -> list[str]:
    """The lines of UTF-8 bytes, without their ends and without byte-order marks at their starts.

    Raises:
        DataError: A line is not UTF-8, holds a NUL or several carriage returns, or is over 1 MB; it is named.
    """
    lines = with_feeds(data).split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [text_of(line, name, number) for number, line in enumerate(lines, 1)]
