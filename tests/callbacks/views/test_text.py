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
from kt2t.callbacks.views.text import LONGEST, WIDEST, Row, lines, markdown, table
from kt2t.decoding import Beam

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

    def written(self, field, decoded):
        return decoded


class FakeModel:
    optimizer = SimpleNamespace(iterations=7)

    def answer(self, features, search=None):
        self.search, self.fields = search, list(features)
        return {"values": np.stack([features["inputs"] + 20, features["inputs"] * 0], 1)}


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
    assert model.search == "beam" and model.fields == ["inputs"], "it was shown the targets"


def test_a_model_that_reads_nothing_continues_the_first_half():
    asked = {}

    class Continues(FakeModel):
        def answer(self, features, search=None):
            asked.update(features, search=search)
            return super().answer({"inputs": features["targets"]})

    sample = {"targets": np.array([[5, 6, 7, 8, 1, 0], [9, 1, 0, 0, 0, 0]])}
    search = Beam(beams=3, extra_length=7)
    (row, _) = DecodedText(FakeProblem(), search, sample=sample).rows(Continues())
    assert asked["targets"].tolist() == [[5, 6, 0, 0, 0, 0], [9, 0, 0, 0, 0, 0]]
    assert asked["targets_segments"].tolist() == [[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert asked["search"].extra_length == 0, "it has never seen what comes later"
    assert asked["search"].beams == 3 and search.extra_length == 7
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


def test_a_model_without_answers_prints_and_renders_nothing():
    held = io.StringIO()
    callback = DecodedText(FakeProblem(), console=Console(file=held))
    callback.set_model(SimpleNamespace(optimizer=FakeModel.optimizer))
    callback.on_epoch_end(0)
    assert held.getvalue() == "" and callback.render(callback.model) == {}


def test_samples_are_checked():
    with pytest.raises(ValueError, match="samples: 0 is not positive"):
        DecodedText(FakeProblem(), samples=0)


def test_one_long_text_leaves_room_for_the_others():
    long, words = "x" * 5000, "word " * 30
    _, _, _, *found = cells(markdown([Row("a", long, words)]))
    assert found[0] == "a" and found[1].endswith("… (5,000 characters)")
    assert all(len(line) <= WIDEST for cell in found for line in cell.split("\n"))
    assert found[1].replace("\n", "").startswith("x" * LONGEST + "…")
    assert found[2].replace("\n", " ").split() == words.split()
    held = io.StringIO()
    Console(file=held, width=90).print(table([Row("a", long, "b")]))
    widths = {len(part) for part in held.getvalue().splitlines()[1].split("┃")[1:-1]}
    assert max(widths) - min(widths) <= 1, "columns of the same width"


def test_it_renders_markdown_under_its_tag():
    (tag, text), *_ = DecodedText(FakeProblem(), samples=1).render(FakeModel()).items()
    assert tag == "decoded" and cells(text)[3:] == ["inputs 10", "targets 20", "targets 30"]


def test_several_targets_and_values_that_are_no_texts():
    class Several(FakeProblem):
        def sample(self, n):
            return {"inputs": np.zeros((n, 2)), "targets": {"a": np.arange(n), "b": np.arange(n) + 5}}

        def decode(self, field, value):
            return value if field == "inputs" else {key: int(one) for key, one in value.items()}

        def written(self, field, decoded):
            return f"<{len(decoded)} numbers>" if field == "inputs" else str(decoded)

    class Answers(FakeModel):
        def answer(self, features, search=None):
            return {"values": {"a": np.array([[7], [8]]), "b": np.array([[1], [2]])}}

    assert DecodedText(Several(), samples=2).rows(Answers()) == [
        Row("<2 numbers>", "{'a': 0, 'b': 5}", "{'a': 7, 'b': 1}"),
        Row("<2 numbers>", "{'a': 1, 'b': 6}", "{'a': 8, 'b': 2}"),
    ]
