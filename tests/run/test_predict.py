import json

import pytest

from kt2t.errors import DataError
from kt2t.run.predict import Predictor, lines_of


@pytest.fixture(scope="module")
def predictor(tiny_run):
    return Predictor(tiny_run, "last", ["report.decode={type: Beam, beams: 3, n_best: 2}"])


def test_lines_come_back_in_the_same_order(predictor):
    lines = ["1 2 3", "0", "4 4 1 0", "2 3"]
    together = predictor(lines)
    assert len(together) == 4
    assert together == [predictor([line])[0] for line in lines]
    assert list(predictor.lines(lines, tokens=5)) == together


def test_json_has_every_hypothesis_with_its_score(predictor):
    (line,) = predictor.lines(["1 2 3"], as_json=True)
    found = json.loads(line)
    assert [h["text"] for h in found["hypotheses"]][0] == found["text"] and len(found["hypotheses"]) == 2
    assert found["hypotheses"][0]["score"] >= found["hypotheses"][1]["score"]


def test_nothing_in_nothing_out_and_progress_is_told(predictor):
    assert predictor([]) == []
    told = []
    list(predictor.lines(["1", "2"], progress=lambda *words: told.append(words)))
    assert told[-1] == (2, 2, "lines")


def test_lines_of_bytes():
    assert lines_of(b"a\r\n\nb", "x") == ["a", "", "b"]
    assert lines_of(b"a\n", "x") == ["a"] and lines_of(b"", "x") == []
    with pytest.raises(DataError, match=r"x:2: byte 0xff is not UTF-8"):
        lines_of(b"a\n\xff\n", "x")
