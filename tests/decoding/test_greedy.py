"""Greedy decoding."""

from __future__ import annotations

import numpy as np

from kt2t.decoding import Greedy


def test_the_largest_and_of_equals_the_first():
    logits = np.array([[0.0, 3.0, 3.0], [5.0, 1.0, 2.0]], "float32")
    assert np.asarray(Greedy().pick(logits, 0)).tolist() == [1, 0]
