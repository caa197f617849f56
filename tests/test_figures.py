"""The published figures: each has its date, machine and command, benchmarks write to files that are there, docs/ shows them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks/ is not part of the source distribution")


def test_each_result_says_when_where_and_how_it_was_measured():
    for file in (BENCHMARKS / "results").glob("*.json"):
        result = json.loads(file.read_text(encoding="utf-8"))
        assert all(result[name] for name in ("table", "rows", "command", "machine")), file.name
        assert re.match(r"20\d\d-\d\d-\d\d", result["date"]), file.name
        assert {len(row) for row in result["rows"]} == {len(result["table"])}, file.name


def test_benchmarks_record_figures_that_have_a_file():
    texts = "".join(file.read_text(encoding="utf-8") for file in BENCHMARKS.glob("*.py"))
    names = set(re.findall(r'\brecord\("(\w+)"', texts))
    assert names and not [name for name in names if not (BENCHMARKS / "results" / f"{name}.json").is_file()]


def test_a_table_is_written_anew_and_the_text_around_it_stays(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import tables

    known = {"| a | b |": ["| a | b |", "| --- | --- |", "| new | 1 |"]}
    text = "before\n\n| a | b |\n| --- | --- |\n| old | 0 |\n| older | 0 |\n\nafter\n| c |\n| --- |\n| kept |\n"
    wanted = "before\n\n| a | b |\n| --- | --- |\n| new | 1 |\n\nafter\n| c |\n| --- |\n| kept |\n"
    assert tables.page(text, known) == (wanted, {"| a | b |"})


@pytest.mark.skipif(not (ROOT / "docs" / "figures.md").is_file(), reason="docs/ is not here")
def test_docs_show_the_results():
    done = subprocess.run([sys.executable, str(BENCHMARKS / "tables.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
