"""The table of decoded examples, in markdown, lines and a terminal's table."""

from __future__ import annotations

import html
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from kt2t.callbacks import DecodedText
from kt2t.callbacks.decoded_text import Row, lines, markdown, table

NASTY = [
    "a | b",
    "two\nlines",
    "<script>alert(1)</script>",
    "*bold* _it_ `code` #1 [a](b)",
    "",
    "~~x~~ \\| &amp;",
    "¿ñ ü 中文",
]


class FakeProblem:
    def sample(self, n):
        return {"inputs": np.arange(n)[:, None] + 10, "targets": np.arange(n)[:, None] + 20}

    def decode(self, field, ids):
        return f"{field} {int(ids[0])}"


class FakeModel:
    optimizer = SimpleNamespace(iterations=7)

    def generate(self, features, search=None, length=None):
        self.search, self.length = search, length
        return {"ids": np.stack([features["inputs"] + 20, features["inputs"] * 0], 1)}


def cells(text):
    """What TensorBoard makes of the markdown, cell by cell, as a reader sees it."""
    plugin_util = pytest.importorskip("tensorboard.plugin_util")
    shown = plugin_util.markdown_to_safe_html(text)
    found = re.findall(r"<t[dh]>(.*?)</t[dh]>", shown, re.DOTALL)
    return [html.unescape(cell.replace("<br>", "\n")).replace("\xa0", "") for cell in found]


def test_rows_hold_the_best_hypothesis():
    callback, model = DecodedText(FakeProblem(), search="beam", samples=2), FakeModel()
    assert callback.rows(model) == [
        Row("inputs 10", "targets 20", "targets 30"),
        Row("inputs 11", "targets 21", "targets 31"),
    ]
    assert model.search == "beam" and model.length is None


def test_a_model_that_reads_nothing_continues_the_first_half():
    asked = {}

    class Continues(FakeModel):
        def generate(self, features, search=None, length=None):
            asked.update(features, length=length)
            return super().generate({"inputs": features["targets"]})

    sample = {"targets": np.array([[5, 6, 7, 8, 1, 0], [9, 1, 0, 0, 0, 0]])}
    (row, _) = DecodedText(FakeProblem(), sample=sample).rows(Continues())
    assert asked["targets"].tolist() == [[5, 6, 0, 0, 0, 0], [9, 0, 0, 0, 0, 0]]
    assert asked["targets_segments"].tolist() == [[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert asked["length"] == 6  # it has never seen what stands further on
    assert row == Row(None, "targets 5", "targets 25")


def test_a_problem_without_inputs_has_two_columns():
    rows = [Row(None, "a", "b")]
    assert cells(markdown(rows)) == ["target", "prediction", "a", "b"]
    assert lines(rows) == ["    target: a", "prediction: b", ""]


def test_markdown_shows_any_text_as_it_is():
    rows = [Row(text, f"{text}!", "x") for text in NASTY]
    shown = cells(markdown(rows))
    assert shown[:3] == ["input", "target", "prediction"]
    assert shown[3::3] == NASTY
    assert shown[4::3] == [f"{text}!" for text in NASTY]


def test_plain_lines_are_one_a_text():
    assert lines([Row("a\nb", "c", "")])[0] == "     input: a ⏎ b"
    assert all("\n" not in line for line in lines([Row(text, text, text) for text in NASTY]))


def test_a_file_gets_lines_and_a_terminal_a_table():
    plain, screen = io.StringIO(), io.StringIO()
    for console in (
        Console(file=plain),
        Console(file=screen, force_terminal=True, width=100, _environ={"TERM": "xterm"}),
    ):
        callback = DecodedText(FakeProblem(), samples=1, console=console)
        callback.set_model(FakeModel())
        callback.on_epoch_end(0)
    assert plain.getvalue().splitlines()[2] == "prediction: targets 30"
    assert "step 7" in screen.getvalue() and "┃" in screen.getvalue()


def test_markup_in_a_text_stays_text():
    held = io.StringIO()
    Console(file=held, width=80).print(table([Row("[red]a[/red]", "b", "c")]))
    assert "[red]a[/red]" in held.getvalue()


def test_a_model_that_does_not_generate_prints_nothing():
    held = io.StringIO()
    callback = DecodedText(FakeProblem(), console=Console(file=held))
    callback.set_model(SimpleNamespace(optimizer=FakeModel.optimizer))
    callback.on_epoch_end(0)
    assert held.getvalue() == ""


def test_samples_are_checked():
    with pytest.raises(ValueError, match="samples: 0 is not positive"):
        DecodedText(FakeProblem(), samples=0)
