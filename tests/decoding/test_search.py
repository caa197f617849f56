"""What a search must offer."""

from __future__ import annotations

import pytest

from kt2t.decoding import Beam, Greedy, Sample, Search
from kt2t.registry import build, describe


@pytest.mark.parametrize("search", [Greedy(7), Sample(0.5, top_k=3, seed=2), Beam(3, n_best=2)])
def test_a_search_is_described_and_built_again(search):
    node = describe(search)
    again = build(node, "search")
    assert type(again) is type(search)
    assert describe(again) == node
    assert isinstance(again, Search)


@pytest.mark.parametrize("search", [Greedy(), Sample(), Beam(3)])
def test_the_state_keeps_its_shapes(search):
    state = search.begin(2, 5)
    assert tuple(state["last"].shape) == (2, search.beams)
    import numpy as np

    logits = np.random.default_rng(0).normal(size=(2, search.beams, 6)).astype("float32")
    after, parents = search.choose(state, logits, 0)
    assert {name: tuple(value.shape) for name, value in after.items()} == {
        name: tuple(value.shape) for name, value in state.items()
    }
    assert parents is None or tuple(parents.shape) == (2, search.beams)


def test_the_base_promises_nothing():
    with pytest.raises(NotImplementedError):
        Search().begin(1, 1)
