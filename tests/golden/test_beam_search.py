"""Beam search against Tensor2Tensor's, step for step: the same ids, the same scores."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.decoding.beam import Beam
from kt2t.decoding.loop import decode
from kt2t.layers.cache import Cache


def _as_upstream(search: Beam, state: dict, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The upstream's own last word: its ended set, or for a source where nothing has ended the running beams."""
    none_ended = (np.asarray(state["ended_scores"]) <= -5e6).all(axis=1)
    ids = np.where(none_ended[:, None, None], state["ids"], state["ended_ids"])[:, :, :steps]
    scores = np.where(none_ended[:, None], state["log_probs"], state["ended_scores"])
    return ids, scores


def _compare(search, state, steps, ids, scores):
    found_ids, found_scores = _as_upstream(search, state, int(steps))
    width = max(ids.shape[2] - 1, found_ids.shape[2])
    wanted = np.zeros((*ids.shape[:2], width), "int32")
    wanted[:, :, : ids.shape[2] - 1] = ids[:, :, 1:]  # upstream keeps the initial 0
    found = np.zeros_like(wanted)
    found[:, :, : found_ids.shape[2]] = found_ids
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(found_scores, scores, atol=1e-4)


def _options(name: str) -> tuple[float, bool]:
    return float(name.partition("alpha")[2].partition("_")[0]), not name.endswith("full")


def has_tables(meta):
    """beam search over tables"""
    return "in/table_0" in meta["arrays"]


def has_states(meta):
    """beam search with a state"""
    return {"in/E", "in/W", "in/O", "in/h0"} <= set(meta["arrays"])


@pytest.mark.cases.with_args(has_tables)
def test_a_table_of_next_words(case, meta):
    wanted = [name for name in case.files if name.startswith("out/ids_")]
    assert wanted
    for name in wanted:
        number = name.removeprefix("out/ids_").partition("_")[0]
        sizes, table = meta["cases"][f"case_{number}"], case[f"in/table_{number}"]
        penalty, early = _options(name)
        search = Beam(sizes["beam"], penalty, early_stopping=early)

        def step(ids, position, cache, table=table):
            return ops.stack([ops.take(table[row], ids[row], axis=0) for row in range(len(table))]), cache

        length = sizes["decode_length"]
        state, steps = decode(search, step, Cache(len(table), length, search.beams), len(table), length)
        _compare(search, state, steps, case[name], case[name.replace("ids_", "scores_")])


@pytest.mark.cases.with_args(has_states)
def test_a_state_that_follows_its_beam(case, meta):
    sizes = meta["hparams"]
    words, recur, out = case["in/E"], case["in/W"], case["in/O"]

    def step(ids, position, cache):
        hidden = ops.tanh(ops.matmul(cache.read("hidden"), recur) + ops.take(words, ids, axis=0))
        cache.write("hidden", hidden)
        return ops.matmul(hidden, out), cache

    for name in [name for name in case.files if name.startswith("out/ids_")]:
        penalty, _ = _options(name)
        search = Beam(sizes["beam"], penalty)
        cache = Cache(sizes["batch"], sizes["decode_length"], search.beams)
        cache.write("hidden", ops.repeat(ops.expand_dims(case["in/h0"], 1), search.beams, axis=1))
        state, steps = decode(search, step, cache, sizes["batch"], sizes["decode_length"])
        _compare(search, state, steps, case[name], case[name.replace("ids_", "scores_")])
