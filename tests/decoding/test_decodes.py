"""`generate`, with a model of a few lines."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.decoding import Beam, Decodes, Greedy
from kt2t.features import Label, Text
from kt2t.layers import Cache


class Copier(Decodes):
    """Writes its input backwards, then END."""

    features = {"inputs": Text(9), "speaker": Label(3), "targets": Text(9)}
    built = True
    traces = 0

    def _compiled(self, function):
        def counted(asked):
            self.traces += 1
            return function(asked)

        return counted

    def encode(self, features, training=False):
        self.seen = dict(features)
        return features["inputs"] * features["inputs_segments"]

    def start(self, memory, features, length, beams):
        cache = Cache(ops.shape(memory)[0], length, beams)
        lengths = ops.sum(ops.cast(memory > 0, "int32"), axis=1)
        cache.remember("ids", memory)
        cache.remember("lengths", lengths)
        return cache

    def step(self, ids, position, cache):
        place = cache.read("lengths") - 1 - position
        wanted = ops.take_along_axis(cache.read("ids"), ops.maximum(place, 0)[:, None], axis=1)
        wanted = ops.where(place[:, None] >= 0, wanted, 1)
        return ops.repeat(ops.one_hot(wanted, 9) * 9.0, cache.beams, axis=1), cache


BATCH = {
    "inputs": np.array([[5, 6, 7], [8, 0, 0]], "int32"),
    "inputs_segments": np.array([[1, 1, 1], [1, 0, 0]], "int32"),
    "speaker": np.array([0, 2], "int32"),
    "targets": np.array([[3], [3]], "int32"),
}


@pytest.mark.parametrize("search", [None, Greedy(), Beam(3), {"type": "Beam", "beams": 2}])
def test_it_decodes(search):
    found = Copier().generate(BATCH, search)
    assert found["ids"].tolist() == [[[7, 6, 5, 1]], [[8, 1, 0, 0]]]
    assert found["scores"].shape == (2, 1)
    assert (found["scores"] < 0).all()


def test_the_model_sees_sources_alone_at_few_widths():
    model = Copier()
    model.generate(BATCH)
    assert set(model.seen) == {"inputs", "inputs_segments", "speaker"}
    assert tuple(model.seen["inputs"].shape) == (2, 8)


def test_segments_are_ones_where_a_batch_has_none():
    found = Copier().generate({"inputs": np.array([[5, 6, 7]], "int32")})
    assert found["ids"].tolist() == [[[7, 6, 5, 1]]]


def test_a_length_cuts():
    found = Copier().generate(BATCH, length=2)
    assert found["ids"].tolist() == [[[7, 6]], [[8, 1]]]


class Endless(Copier):
    """Never ends: writes 2, or less probably 3, until it is stopped."""

    def step(self, ids, position, cache):
        logits = np.full(9, -1e8, "float32")
        logits[2:4] = 9.0, 3.0
        return ops.zeros((*ops.shape(ids), 9)) + logits, cache


@pytest.mark.parametrize("search", [Greedy(2), Beam(2, n_best=2, extra_length=2)])
def test_each_row_is_cut_at_its_own_length(search):
    """Its source's length and `extra_length`, however long the other rows are."""
    found = Endless().generate(BATCH, search)
    assert (found["ids"] != 0).sum(-1).tolist() == [[5] * search.beams, [3] * search.beams]
    for row in (0, 1):
        alone = Endless().generate({name: value[row : row + 1] for name, value in BATCH.items()}, search)
        width = alone["ids"].shape[2]
        np.testing.assert_array_equal(alone["ids"][0], found["ids"][row, :, :width])
        np.testing.assert_allclose(alone["scores"][0], found["scores"][row], rtol=1e-6)


def test_one_function_for_each_search_and_width():
    model = Copier()
    for search, length in ((Greedy(), 3), (Greedy(), 5), (Beam(2), 5), (Beam(2), 40)):
        model.generate(BATCH, search, length=length)
    assert len(vars(model)["_generators"]) == 3


def test_refusals():
    with pytest.raises(ValueError, match="inputs_segments holds packed rows"):
        Copier().generate({**BATCH, "inputs_segments": np.array([[1, 1, 2], [1, 0, 0]], "int32")})
    with pytest.raises(ValueError, match="length: 0 is not positive"):
        Copier().generate(BATCH, length=0)


@pytest.mark.parametrize("search", [Greedy(), Beam(2)])
def test_the_rest_of_a_search_is_compiled_when_an_answer_needs_it(search):
    """A batch of width 3 has room for 16 positions at first, and for 3 + 50 in all."""
    short = Copier()
    short.generate(BATCH, search)
    assert len(vars(short)["_generators"]) == 1
    long = Endless()
    found = long.generate(BATCH, search)
    assert len(vars(long)["_generators"]) == 2
    assert (found["ids"] != 0).sum(-1).tolist() == [[53], [51]]
    score = 9.0 - np.logaddexp(9.0, 3.0)  # of each step
    if search.beams == 1:
        np.testing.assert_allclose(found["scores"], [[53 * score], [51 * score]], rtol=1e-4)
