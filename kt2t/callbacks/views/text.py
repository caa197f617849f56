"""Shows the model's current predictions beside inputs and targets."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kt2t.callbacks.pace import step_of
from kt2t.callbacks.terminal import is_terminal, stderr
from kt2t.callbacks.views.view import View
from kt2t.data.answers import row_of
from kt2t.data.judging import for_each
from kt2t.decoding import has_source, search_of, without_answers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


LONGEST, WIDEST = 480, 60  # characters of a text in a table, and of one of its lines
_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "&<>|\\`*_[]#~$"}


@dataclass(frozen=True)
class Row:
    """Holds one example as text; `inputs` is None if the problem has no inputs."""

    inputs: str | None
    targets: str
    prediction: str

    def fields(self) -> dict[str, str]:
        """Returns the texts by field, without those that are None."""
        shown = {"inputs": self.inputs, "targets": self.targets, "prediction": self.prediction}
        return {field: text for field, text in shown.items() if text is not None}


class DecodedText(View):
    """Decodes a few examples at each epoch end and prints the predictions beside inputs and targets.

    It prints to stderr: a table on a terminal, plain lines elsewhere. `TensorBoard` shows the same rows, with long texts
    cut. A model without a source continues the first half of each target, up to the length of the targets, since it has
    not learned to write longer texts. Nothing is printed for a model without `answer`.

    Args:
        problem: The problem, which supplies the sample and turns arrays into text.
        search: How to decode; by default the model's own search.
        samples: Number of examples.
        sample: Features and targets of a batch, in place of the problem's sample.
        console: The rich console to print to; stderr by default.

    Raises:
        ValueError: `samples` is not positive.
    """

    def __init__(
        self,
        problem: Any,
        search: Any = None,
        samples: int = 5,
        sample: Mapping[str, Any] | None = None,
        console: Console | None = None,
    ) -> None:
        super().__init__()
        if samples < 1:
            raise ValueError(f"samples: {samples} is not positive.")
        self.problem = problem
        self.search = search
        self.samples = samples
        self._sample = sample
        self._console = console

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        rows = self.rows(self.model)
        console = self._console or stderr()
        if rows and is_terminal(console):
            console.print(table(rows, title=f"step {step_of(self.model)}"))
        else:
            for line in lines(rows):
                console.print(line, markup=False, highlight=False, soft_wrap=True)

    def render(self, model: Any) -> dict[str, str | bytes]:
        rows = self.rows(model)
        return {"decoded": markdown(rows)} if rows else {}

    def rows(self, model: Any) -> list[Row]:
        """Decodes the sample with the averaged weights, if there are any, and returns a row for each example."""
        if not hasattr(model, "answer"):
            return []
        if self._sample is None:
            self._sample = self.problem.sample(self.samples)
        sample = {field: for_each(value, lambda array: array[: self.samples]) for field, value in self._sample.items()}
        from kt2t.training.averages import weights_averaged

        search = self.search if has_source(sample) else _no_longer(self.search)
        with weights_averaged(model):
            answer = model.answer(without_answers(sample), search=search)["values"]
        best = for_each(answer, lambda values: values[:, 0])
        return [
            Row(
                inputs=self._text("inputs", sample["inputs"], row) if "inputs" in sample else None,
                targets=self._text("targets", sample["targets"], row),
                prediction=self._text("targets", best, row),
            )
            for row in range(_length(best))
        ]

    def _text(self, field: str, arrays: Any, row: int) -> str:
        return str(self.problem.written(field, self.problem.decode(field, row_of(arrays, row))))


def _no_longer(search: Any) -> Any:
    """Returns a copy of the search that stops at the length of the targets."""
    bounded = copy.copy(search_of(search))
    bounded.extra_length = 0
    return bounded


def _length(values: Any) -> int:
    return len(next(iter(values.values())) if isinstance(values, Mapping) else values)


def markdown(rows: Iterable[Row]) -> str:
    """Formats the rows as a Markdown table, with special characters escaped.

    Long lines are broken and long texts are cut, so that one wide column does not squeeze the others.
    """
    rows = list(rows)
    heads = ["input"] * any(row.inputs is not None for row in rows) + ["target", "prediction"]
    body = [[_escaped(_cut(cell)) for cell in row.fields().values()] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, ["---"] * len(heads), *body])


def lines(rows: Iterable[Row]) -> list[str]:
    """Formats the rows as plain lines, with an empty line after each example."""
    shown: list[str] = []
    for row in rows:
        shown += [] if row.inputs is None else [f"     input: {_one_line(row.inputs)}"]
        shown += [f"    target: {_one_line(row.targets)}", f"prediction: {_one_line(row.prediction)}", ""]
    return shown


def table(rows: Iterable[Row], title: str | None = None) -> Table:
    """Formats the rows as a terminal table with columns of equal width; long texts are cut."""
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    is_wide = any(len(text) > WIDEST for row in rows for text in row.fields().values())
    shown = Table(title=title, show_lines=True, title_justify="left", expand=is_wide)
    for head in ["input"] * any(row.inputs is not None for row in rows) + ["target", "prediction"]:
        shown.add_column(head, overflow="fold", ratio=1)
    for row in rows:
        shown.add_row(*(Text(_one_line(_cut(cell))) for cell in row.fields().values()))
    return shown


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _one_line(text: str) -> str:
    return " ⏎ ".join(text.splitlines()) if len(text.splitlines()) > 1 else text.rstrip("\r\n")


def _escaped(text: str) -> str:
    """Escapes a text for a cell of a Markdown table: no character is markup, and a line break becomes `<br>`."""
    broken = [part for line in text.splitlines() for part in _broken(line)]
    return "<br>".join(part.translate(_ENTITIES) for part in broken) or "&nbsp;"


def _broken(line: str) -> list[str]:
    """Breaks a line into parts of at most `WIDEST` characters, at spaces if possible."""
    parts = []
    while len(line) > WIDEST:
        place = line.rfind(" ", 1, WIDEST + 1)
        end, begin = (place, place + 1) if place > 0 else (WIDEST, WIDEST)
        parts.append(line[:end])
        line = line[begin:]
    return [*parts, line]
