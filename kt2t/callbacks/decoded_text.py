"""What the model says by now: input, target and prediction side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kt2t.callbacks.pace import step_of
from kt2t.callbacks.terminal import is_terminal, stderr
from kt2t.decoding import has_source, without_answers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "&<>|\\`*_[]#~$"}


@dataclass(frozen=True)
class Row:
    """One example in words; `inputs` is None for a problem that reads nothing."""

    inputs: str | None
    targets: str
    prediction: str


class DecodedText(keras.callbacks.Callback):
    """Decodes a few examples at each epoch end and prints them beside what was asked for.

    A rich table on a terminal, plain lines elsewhere, to stderr. `TensorBoard` shows the same rows as text. A model
    that reads nothing continues the first half of each target, no further than targets go: it has not learned what stands
    behind them. For one that does not generate nothing is printed.

    Args:
        problem: Gives the sample and turns ids into text.
        search: How to decode; the model's own default without one.
        samples: How many examples.
        sample: The features of a batch, in place of the problem's.
        console: Where to print; stderr by default.

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
        if not hasattr(self.model, "generate"):
            return
        console = self._console or stderr()
        rows = self.rows(self.model)
        if is_terminal(console):
            console.print(table(rows, title=f"step {step_of(self.model)}"))
        else:
            for line in lines(rows):
                console.print(line, markup=False, highlight=False, soft_wrap=True)

    def rows(self, model: Any) -> list[Row]:
        """The sample, decoded by the model as it is now."""
        if self._sample is None:
            self._sample = self.problem.sample(self.samples)
        sample = {field: np.asarray(value)[: self.samples] for field, value in self._sample.items()}
        from kt2t.training.averages import weights_averaged

        length = None if has_source(sample) else sample["targets"].shape[1]
        with weights_averaged(model):
            ids = np.asarray(model.generate(without_answers(sample), search=self.search, length=length)["ids"])[:, 0]
        return [
            Row(
                inputs=self.problem.decode("inputs", sample["inputs"][row]) if "inputs" in sample else None,
                targets=self.problem.decode("targets", sample["targets"][row]),
                prediction=self.problem.decode("targets", ids[row]),
            )
            for row in range(len(ids))
        ]


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a markdown table, which no character of theirs breaks."""
    rows = list(rows)
    heads = ["input"] * any(row.inputs is not None for row in rows) + ["target", "prediction"]
    body = [[_escaped(cell) for cell in _cells(row)] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, ["---"] * len(heads), *body])


def lines(rows: Iterable[Row]) -> list[str]:
    """The rows as plain lines, an empty one after each example."""
    shown: list[str] = []
    for row in rows:
        shown += [] if row.inputs is None else [f"     input: {_one_line(row.inputs)}"]
        shown += [f"    target: {_one_line(row.targets)}", f"prediction: {_one_line(row.prediction)}", ""]
    return shown


def table(rows: Iterable[Row], title: str | None = None) -> Table:
    """The rows as a table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    shown = Table(title=title, show_lines=True, title_justify="left")
    for head in ["input"] * any(row.inputs is not None for row in rows) + ["target", "prediction"]:
        shown.add_column(head, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_one_line(cell)) for cell in _cells(row)))
    return shown


def _cells(row: Row) -> list[str]:
    return [cell for cell in (row.inputs, row.targets, row.prediction) if cell is not None]


def _one_line(text: str) -> str:
    return " ⏎ ".join(text.splitlines()) if len(text.splitlines()) > 1 else text.rstrip("\r\n")


def _escaped(text: str) -> str:
    """Text for one cell of a markdown table: nothing in it is markup, a new line is `<br>`."""
    return "<br>".join(line.translate(_ENTITIES) for line in text.splitlines()) or "&nbsp;"
