"""Columns of a TSV by number and by name, and header rows."""

from __future__ import annotations

import logging

import pytest

from kt2t.data.sources.columns import columns, looks_like_header
from kt2t.errors import DataError

PAIRS = [{"inputs": "a b", "targets": "ä"}, {"inputs": "c", "targets": "d"}]
MORE = "1\tä\ta b\n2\td\tc\n"


def stored(tmp_path, text, name="x.tsv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_by_number(tmp_path):
    assert list(columns(stored(tmp_path, MORE), 3, 2)) == PAIRS


def test_columns_by_name(tmp_path):
    assert list(columns(stored(tmp_path, "id\tde\ten\n" + MORE), "en", "de")) == PAIRS
    assert list(columns(stored(tmp_path, "targets\tinputs\nä\ta b\nd\tc\n"))) == PAIRS
    assert list(columns(stored(tmp_path, "id\tde\ten\n" + MORE), 3, "de")) == PAIRS


@pytest.mark.parametrize("header", ["en\tde", "source\tTarget", "Question\tanswer", "text_en\ttext_de", "en-US\tde_DE"])
def test_a_header_row_is_noticed_and_said(tmp_path, header, caplog):
    caplog.set_level(logging.INFO, "kt2t")
    path = stored(tmp_path, f"{header}\na b\tä\nc\td\n")
    assert list(columns(path)) == list(columns(path)) == PAIRS
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and f"{path}: the first line is a header row" in told[0] and "problem.header=false" in told[0]


def test_a_header_row_before_columns_by_number(tmp_path):
    assert list(columns(stored(tmp_path, "id\tde\ten\n" + MORE), 3, 2)) == PAIRS


def test_what_is_no_header_row(tmp_path):
    assert not any(map(looks_like_header, (["a dog", "ein Hund"], ["no", "nein"], ["en", "en"], ["one", "1"], ["", "de"])))
    text = "en\tde\n"
    assert list(columns(stored(tmp_path, text), header=False)) == [{"inputs": "en", "targets": "de"}]
    assert list(columns(stored(tmp_path, "x\ty\na b\tä\nc\td\n"), header=True)) == PAIRS


@pytest.mark.parametrize(
    ("text", "keys", "message"),
    [
        ("a\tb\tc\n", (), r"x.tsv:1: 3 columns where there should be 2. .*problem.source_key=1.*holds 'a', 'b', 'c'"),
        ("a\tb\tc\n", (1, 4), r"x.tsv:1: there is no column 4: the first line has 3"),
        ("a\tb\tc\n", ("en", "de"), r"x.tsv:1: no column is called 'en'; the first line holds 'a', 'b', 'c'"),
        ("en\tb\tc\n", ("en", "de"), r"no column is called 'de'"),
        ("a\tb\tc\nd\te\n", (1, 2), r"x.tsv:2: 2 columns where there should be 3"),
        ("a\tb\na\n", (), r"x.tsv:2: 1 columns where there should be 2"),
        ("", (), "is empty"),
    ],
)
def test_faults(tmp_path, text, keys, message):
    with pytest.raises(DataError, match=message):
        list(columns(stored(tmp_path, text), *keys))
