"""The loop, against the same search written as a plain Python loop."""

from __future__ import annotations

import numpy as np
from keras import ops

from kt2t.decoding import Greedy, decode
from kt2t.layers import Cache

TABLE = np.random.default_rng(3).normal(size=(3, 7, 7)).astype("float32")
TABLE[:, :, 1] -= 1.0


def step(ids, position, cache):
    """Logits that depend on the row, the last id and the position."""
    rows = ops.stack([ops.take(TABLE[row], ids[row], axis=0) for row in range(3)])
    return rows + ops.cos(ops.cast(position, "float32") * ops.arange(7, dtype="float32")), cache


def by_hand(row, length, prompt=()):
    ids, score, last = [], 0.0, 0
    for position in range(length):
        logits = TABLE[row][last] + np.cos(np.float32(position) * np.arange(7, dtype="float32"))
        if position < len(prompt):
            last = prompt[position]
        else:
            last = int(logits.argmax())
            score += logits[last] - np.log(np.exp(logits).sum())
        ids.append(last)
        if last == 1:
            break
    return ids, score


def padded(ids, length):
    return ids + [0] * (length - len(ids))


def run(length, limit=None, prompt=None):
    search = Greedy()
    state, steps = decode(search, step, Cache(3, length), 3, length, limit, prompt)
    ids, scores = search.result(state, steps)
    return np.asarray(ids)[:, 0], np.asarray(scores)[:, 0], int(steps)


def test_it_takes_the_steps_of_a_plain_loop():
    ids, scores, steps = run(12)
    taken = []
    for row in range(3):
        wanted, score = by_hand(row, 12)
        taken.append(len(wanted))
        assert ids[row].tolist() == padded(wanted, 12)
        np.testing.assert_allclose(scores[row], score, rtol=1e-5)
    assert steps == max(taken)


def test_a_cache_that_grows_on_the_way():
    search = Greedy()
    ends = {}
    for room in (1, 3, 12):
        state, steps = decode(search, step, Cache(3, room), 3, 12)
        ends[room] = (np.asarray(state["ids"]).tolist(), int(steps))
    assert ends[1] == ends[3] == ends[12]


def test_a_limit_below_the_width():
    ids, _, steps = run(12, limit=2)
    assert steps <= 2
    assert (ids[:, 2:] == 0).all()
    for row in range(3):
        assert ids[row, :2].tolist() == padded(by_hand(row, 2)[0], 2)


def test_a_prompt_is_obeyed_and_costs_nothing():
    prompt = np.zeros((3, 9), "int32")
    prompt[0, :3], prompt[2, :1] = [5, 6, 5], [4]
    ids, scores, _ = run(9, prompt=ops.convert_to_tensor(prompt))
    for row in range(3):
        wanted, score = by_hand(row, 9, prompt[row][prompt[row] > 0].tolist())
        assert ids[row].tolist() == padded(wanted, 9)
        np.testing.assert_allclose(scores[row], score, rtol=1e-4, atol=1e-5)
