"""Pairs of texts from each kind of file."""

from __future__ import annotations

import gzip
import json

import pytest

from kt2t.data.sources.pairs import pairs
from kt2t.errors import DataError

PAIRS = [{"inputs": "a b", "targets": "ä"}, {"inputs": "", "targets": "c"}]


def stored(tmp_path, name, text):
    path = tmp_path / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def test_every_kind_gives_the_same(tmp_path):
    rows = [json.dumps(pair) for pair in PAIRS]
    named = [json.dumps({"q": pair["inputs"], "a": pair["targets"], "more": 1}) for pair in PAIRS]
    files = [
        [stored(tmp_path, "x.en", "a b\n\n"), stored(tmp_path, "x.de.gz", "ä\nc\n")],
        [stored(tmp_path, "x.tsv", "a b\tä\n\tc\n")],
        [stored(tmp_path, "x.tsv.gz", "a b\tä\n\tc")],
        [stored(tmp_path, "x.jsonl", "\n".join(rows) + "\n\n")],
        [stored(tmp_path, "x.jsonl.gz", "\n".join(rows))],
    ]
    for one in files:
        assert list(pairs(one)) == PAIRS
    assert list(pairs([stored(tmp_path, "y.jsonl", "\n".join(named))], "q", "a")) == PAIRS


@pytest.mark.parametrize("names", [("a.tsv", "b.tsv"), ("a.jsonl", "b.jsonl.gz"), ("a.tsv.gz", "b.txt")])
def test_two_files_of_pairs_are_not_taken_for_parallel_texts(tmp_path, names):
    files = [stored(tmp_path, name, "hello\thallo\n") for name in names]
    with pytest.raises(
        DataError, match=rf"{names[0]}'.* pairs already, .*Give one file of pairs for each split.*cat a\.tsv b\.tsv"
    ):
        list(pairs(files))


@pytest.mark.parametrize(("source", "target"), [(3, 5), (5, 3), (1, 0)])
def test_different_numbers_of_lines(tmp_path, source, target):
    files = [stored(tmp_path, name, "x\n" * count) for name, count in (("s", source), ("t", target))]
    message = f"s' has {source} lines, .*t' {target}" if target else "t' is empty"
    with pytest.raises(DataError, match=message):
        list(pairs(files))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.tsv", "a\tb\na\n", "x.tsv:2: 1 columns where there should be 2"),
        ("x.tsv", "a\tb\tc\n", "x.tsv:1: 3 columns"),
        ("x.jsonl", '{"inputs": "a", "targets": "b"}\n{"inputs": ', "x.jsonl:2: no JSON"),
        (
            "x.jsonl",
            '{"inputs": "a", "answer": "b"}',
            "x.jsonl:1: no text under 'targets'; there is only 'inputs', 'answer'",
        ),
        ("x.jsonl", "[1]", r"x.jsonl:1: no text under 'inputs'; there is \[1\]"),
        (
            "x.jsonl",
            '{"inputs": "a", "targets": "b"}\n{"inputs": "a", "targets": "nice cat \\ud83d"}',
            r"x.jsonl:2: targets: character 10 is U\+D83D, half of a surrogate pair",
        ),
        ("x.jsonl", '{\n "inputs": "a"\n}', "x.jsonl:1: no JSON: .*Write one object a line, or one list of objects"),
        ("x.txt", "a", "give two parallel text files, one .tsv or one .jsonl"),
    ],
)
def test_faults(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        list(pairs([stored(tmp_path, name, text)]))
