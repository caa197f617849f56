"""Text pairs from JSON: a list, one object a line, and nested objects."""

from __future__ import annotations

import gzip
import json

import pytest

from kt2t.data.sources.json_entries import json_pairs
from kt2t.errors import DataError

PAIRS = [{"inputs": "a b", "targets": "ä"}, {"inputs": "", "targets": "c"}]


def stored(tmp_path, text, name="x.json"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\n  "])
def test_a_file_that_holds_one_list(tmp_path, indent, name, before):
    assert list(json_pairs(stored(tmp_path, before + json.dumps(PAIRS, indent=indent), name), "inputs", "targets")) == PAIRS


def test_a_list_on_one_line_longer_than_a_line_may_be(tmp_path):
    pairs = [{"inputs": "x" * 999, "targets": "y"}] * 1100
    assert list(json_pairs(stored(tmp_path, json.dumps(pairs)), "inputs", "targets")) == pairs


@pytest.mark.parametrize("as_list", [False, True])
def test_dotted_keys(tmp_path, as_list):
    entries = [{"translation": {"en": pair["inputs"], "de": pair["targets"]}} for pair in PAIRS]
    text = json.dumps(entries) if as_list else "\n".join(map(json.dumps, entries))
    assert list(json_pairs(stored(tmp_path, text), "translation.en", "translation.de")) == PAIRS
    literal = json.dumps({"translation.en": "a b", "a.b": {"c.d": "ä"}})
    assert list(json_pairs(stored(tmp_path, literal), "translation.en", "a.b.c.d")) == PAIRS[:1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"inputs": "a", "targets": "b"}, {"inputs": "a"}]', r"x.json: entry 2 of the list: no text under 'targets'"),
        ('[{"inputs": "a", "targets": "b"}, 3]', r"entry 2 of the list: no text under 'inputs'; there is 3"),
        ('[{"inputs": "a", "targets": "b"},\n {"inputs": "a"', r"x.json:2: the list is no JSON"),
        ("[]", "holds an empty list"),
        ("[" * 5000, r"x.json:1: no JSON: it is nested too deeply"),
        ('[["a", "b"],\n["a", "b"]]', r"x.json:1: no JSON: .* Write one object a line, or one list of objects"),
        ('{"tr": {"inputs": "a", "targets": "b"}}', r"x.json:1: no text under 'inputs'; .* only 'tr.inputs', 'tr.targets'"),
        ('{"inputs": {"en": 1}, "targets": "b"}', r"no text under 'inputs'; there is only 'inputs.en', 'targets'"),
        ('[{"inputs": "a", "targets": "nice \\ud83d"}]', r"entry 1 of the list: targets: character 6 is U\+D83D"),
        ('[{"inputs": "a", "targets": "\x00b"}]', "no JSON"),
    ],
)
def test_faults(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        list(json_pairs(stored(tmp_path, text), "inputs", "targets"))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'[{"inputs": "a\xff", "targets": "b"}]')
    with pytest.raises(DataError, match=r"x.json:1: byte 15 \(0xff\) is not UTF-8"):
        list(json_pairs(path, "inputs", "targets"))
