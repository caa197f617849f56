import json

import numpy as np

from kt2t.data import Problem
from kt2t.features import Label, Numbers, Text
from kt2t.run.hypotheses import as_json, as_line, hypotheses


class Words(Problem):
    def features(self):
        return {"targets": Text(30)}


class Two(Problem):
    def features(self):
        return {"inputs": Text(30), "targets": {"kind": Label(3), "place": Numbers(2)}}


def test_hypotheses_of_a_text_have_scores_and_say_whether_they_were_cut():
    found = {"values": np.array([[[5, 6, 1], [5, 7, 8]]]), "scores": np.array([[-0.5, -2.25]], "float32")}
    assert list(hypotheses(Words(), found, 0)) == [
        {"text": "5 6 1", "value": "5 6 1", "score": -0.5, "cut": False},
        {"text": "5 7 8", "value": "5 7 8", "score": -2.25, "cut": True},
    ]
    told = json.loads(as_json(hypotheses(Words(), found, 0)))
    assert told["text"] == "5 6 1" and [one["score"] for one in told["hypotheses"]] == [-0.5, -2.25]
    assert "score" not in told and all("value" not in one for one in [told, *told["hypotheses"]])


def test_several_targets_are_a_dict_and_one_line():
    found = {"values": {"kind": np.array([[2], [0]]), "place": np.array([[[1.5, 2.0]], [[0.0, 4.0]]])}}
    (one,) = hypotheses(Two(), found, 1)
    assert one["value"]["kind"] == "0" and one["value"]["place"].tolist() == [0.0, 4.0]
    assert as_line(iter([one])) == "0\t0 4"
    assert json.loads(as_json(iter([one])))["value"] == {"kind": "0", "place": [0.0, 4.0]}


def test_a_line_is_one_line():
    assert as_line(iter([{"text": "a\nb\u2028c"}])) == "a b c"
