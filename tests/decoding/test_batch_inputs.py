"""What a model may see of a batch when it answers."""

from __future__ import annotations

import numpy as np

from kt2t.decoding import has_source, without_answers, without_fillers


def test_a_source_is_any_field_but_the_targets():
    assert has_source(["inputs", "inputs_segments", "targets"])
    assert has_source({"speaker": 1, "targets": 2})
    assert not has_source(["targets", "targets_segments"])


def test_with_a_source_only_the_targets_are_left_out():
    inputs = np.array([[5, 1]])
    features = {"inputs": inputs, "targets": np.array([[6, 1]]), "targets_segments": np.array([[1, 1]])}
    assert without_answers(features) == {"inputs": inputs}
    assert without_answers({"inputs": inputs, "targets": {"tags": inputs, "label": 3}}) == {"inputs": inputs}


def test_without_a_source_the_answer_is_begun_and_no_more():
    features = {"targets": np.array([[5, 6, 7, 8, 1, 0], [9, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]])}
    for given in (features, features | {"targets_segments": np.sign(features["targets"])}):
        begun = without_answers(given)
        assert begun["targets"].tolist() == [[5, 6, 0, 0, 0, 0], [9, 0, 0, 0, 0, 0], [0] * 6]
        assert begun["targets_segments"].tolist() == [[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0] * 6]


def test_rows_that_are_no_example_become_one():
    features = {"inputs": np.array([[0, 0], [4, 1], [5, 1], [0, 0]]), "speaker": np.array([0, 1, 2, 0])}
    found = without_fillers(features, np.array([-1, 7, 3, -1]))
    assert found["inputs"].tolist() == [[4, 1], [4, 1], [5, 1], [4, 1]]
    assert found["speaker"].tolist() == [1, 1, 2, 1]
