"""Beam search against all sequences there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from keras import ops

from kt2t.decoding import Beam, decode
from kt2t.layers import Cache

VOCABULARY, LENGTH = 4, 4
TABLE = np.random.default_rng(1).normal(size=(3, VOCABULARY, VOCABULARY)).astype("float32") * 2


def step(ids, position, cache):
    return ops.stack([ops.take(TABLE[row], ids[row], axis=0) for row in range(3)]), cache


def everything(row, penalty):
    """Every sequence that ends in END within the length, with its score, best first."""
    log_probs = TABLE[row] - np.log(np.exp(TABLE[row]).sum(-1, keepdims=True))
    found = []
    for size in range(1, LENGTH + 1):
        for ids in itertools.product([0, 2, 3], repeat=size - 1):
            ids = (*ids, 1)
            score = sum(log_probs[last, this] for last, this in zip((0, *ids), ids, strict=False))
            found.append((score / ((5 + size) / 6) ** penalty, [*ids] + [0] * (LENGTH - size)))
    return sorted(found, reverse=True)


def run(search, length=LENGTH, limit=None):
    state, steps = decode(search, step, Cache(3, length, search.beams), 3, length, limit)
    ids, scores = search.result(state, steps)
    return np.asarray(ids), np.asarray(scores), int(steps)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
def test_with_enough_beams_it_is_the_best_of_all(penalty):
    ids, scores, _ = run(Beam(40, penalty, n_best=5, early_stopping=False))
    for row in range(3):
        wanted = everything(row, penalty)[:5]
        assert ids[row].tolist() == [sequence for _, sequence in wanted]
        np.testing.assert_allclose(scores[row], [score for score, _ in wanted], rtol=1e-4)


def test_stopping_early_does_not_change_the_best():
    early, late = run(Beam(8, 0.6)), run(Beam(8, 0.6, early_stopping=False))
    np.testing.assert_array_equal(early[0], late[0])
    assert early[2] <= late[2]


@pytest.mark.parametrize("penalty", [0.0, 0.6])
def test_the_search_goes_on_until_every_returned_hypothesis_is_certain(penalty):
    ids, scores, _ = run(Beam(40, penalty, n_best=6))
    for row in range(3):
        wanted = everything(row, penalty)[:6]
        assert ids[row].tolist() == [sequence for _, sequence in wanted]
        np.testing.assert_allclose(scores[row], [score for score, _ in wanted], rtol=1e-4)


def test_a_source_with_a_lower_limit_is_answered_as_if_it_were_alone():
    limits = np.array([1, 4, 2], "int32")
    search = Beam(4, n_best=4)
    state, steps = decode(search, step, Cache(3, LENGTH, 4), 3, LENGTH, limits)
    ids, scores = (np.asarray(part) for part in search.result(state, np.minimum(int(steps), limits)))
    for row, limit in enumerate(limits):
        alone_ids, alone_scores, _ = run(search, limit=int(limit))
        assert ids[row].tolist() == alone_ids[row].tolist()
        np.testing.assert_allclose(scores[row], alone_scores[row], rtol=1e-5)
        ended = [1 in one for one in ids[row].tolist()]
        assert ended == sorted(ended, reverse=True)  # those that were cut come last


def test_running_hypotheses_follow_those_that_ended():
    search = Beam(3, 0.6, n_best=3, early_stopping=False)
    ids, scores, steps = run(search, limit=1)
    assert steps == 1
    for row in range(3):
        log_probs = TABLE[row, 0] - np.log(np.exp(TABLE[row, 0]).sum())
        running = sorted((i for i in range(VOCABULARY) if i != 1), key=lambda i: -log_probs[i])
        assert ids[row, :, 0].tolist() == [1, *running[:2]]
        np.testing.assert_allclose(scores[row], log_probs[[1, *running[:2]]], rtol=1e-4)


def test_one_beam_without_ends_is_greedy():
    table = TABLE.copy()
    table[:, :, 1] = -1e4

    def endless(ids, position, cache):
        return ops.stack([ops.take(table[row], ids[row], axis=0) for row in range(3)]), cache

    search = Beam(1)
    state, steps = decode(search, endless, Cache(3, 6, 1), 3, 6)
    ids = np.asarray(search.result(state, steps)[0])[:, 0]
    for row in range(3):
        last, wanted = 0, []
        for _ in range(6):
            last = int(table[row, last].argmax())
            wanted.append(last)
        assert ids[row].tolist() == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, "beams: 0 is not positive"),
        ({"beams": 2, "n_best": 3}, "n_best: 3 of 2 beams cannot be returned"),
        ({"extra_length": -1}, "extra_length: -1 is negative"),
        ({"length_penalty": -0.5}, "length_penalty: -0.5 is negative"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        Beam(**options)
