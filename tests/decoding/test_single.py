"""One hypothesis a source: what happens at and after END, whatever is picked."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.decoding.single import Single


class Counting(Single):
    """Picks 2, then 1, then 3 and so on."""

    def pick(self, logits, position, draw=0):
        return ops.full((2,), [2, 1, 3, 3][position], dtype="int32")


def test_nothing_counts_after_end():
    search, state = Counting(), Counting().begin(2, 4)
    logits = np.random.default_rng(0).normal(size=(4, 2, 1, 5)).astype("float32")
    done = []
    for position in range(4):
        state, parents = search.choose(state, logits[position], position)
        done.append(np.asarray(search.is_done(state, 4)).tolist())
        assert parents is None
    ids, scores = (np.asarray(part) for part in search.result(state, 4))
    assert ids[:, 0].tolist() == [[2, 1, 0, 0]] * 2
    assert done == [[False, False], [True, True], [True, True], [True, True]]
    assert np.asarray(state["last"]).tolist() == [[0], [0]]
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    np.testing.assert_allclose(scores[:, 0], log_probs[0, :, 0, 2] + log_probs[1, :, 0, 1], rtol=1e-5)


def test_an_impossible_length():
    with pytest.raises(ValueError, match="extra_length: -1 is negative"):
        Counting(-1)
