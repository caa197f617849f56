"""The cache, against lists of rows that are copied whenever beams are reordered."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import Cache
from kt2t.layers.cache import gather_beams


@pytest.mark.parametrize("beams", [1, 3])
def test_a_beam_sees_what_its_ancestors_wrote(beams):
    random = np.random.default_rng(0)
    batch, length = 2, 5
    cache = Cache(batch, 2, beams)
    cache.child("a").reserve("rows", 1, 1, "float32")
    cache.write("state", np.zeros((batch, beams, 2), "float32"))
    histories = [[[] for _ in range(beams)] for _ in range(batch)]
    for position in range(length):
        if position == cache.length:
            cache = cache.grown(length)
        cache = cache.at(position, cache.flat())
        new = random.normal(size=(batch, 1, beams, 1)).astype("float32")
        whole = numbers(cache.child("a").append("rows", new))
        assert whole.shape == (batch, 1, cache.length * beams, 1)
        state = numbers(cache.read("state")) + new[:, 0]
        cache.write("state", state)
        visible = np.broadcast_to(numbers(cache.visible()), (batch, beams, cache.length * beams))
        for source in range(batch):
            for beam in range(beams):
                histories[source][beam] = [*histories[source][beam], new[source, 0, beam, 0]]
                seen = whole[source, 0, visible[source, beam], 0]
                np.testing.assert_array_equal(seen, histories[source][beam])
                np.testing.assert_allclose(state[source, beam, 0], sum(histories[source][beam]), rtol=1e-5)
        parents = random.integers(0, beams, size=(batch, beams)).astype("int32")
        cache.reorder(parents)
        histories = [[histories[source][parent] for parent in parents[source]] for source in range(batch)]


def test_memory_is_held_below_its_layer_and_never_moves():
    cache = Cache(2, 4, 3)
    keys = np.arange(6.0).reshape(2, 3)
    cache.child("layer").child(0).remember("keys", keys)
    assert cache.child("layer").child(0).holds("keys")
    assert not cache.child("layer").child(1).holds("keys")
    cache.reorder(np.array([[2, 0, 1], [1, 1, 1]], "int32"))
    np.testing.assert_array_equal(numbers(cache.child("layer").child(0).read("keys")), keys)
    with pytest.raises(KeyError, match="layer.values"):
        cache.child("layer").read("values")


def test_a_step_does_not_change_the_handle_it_came_from():
    cache = Cache(1, 2)
    cache.write("state", np.zeros((1, 1)))
    step = cache.at(1, cache.flat())
    step.write("state", np.ones((1, 1)))
    assert numbers(cache.read("state")).sum() == 0
    assert set(cache.flat()) == {"state/state"}


def test_gathering_beams():
    x = np.arange(12).reshape(2, 3, 2)
    found = numbers(gather_beams(x, np.array([[2, 2], [0, 1]], "int32")))
    np.testing.assert_array_equal(found, [[[4, 5], [4, 5]], [[6, 7], [8, 9]]])


@pytest.mark.parametrize("beams", [1, 2])
def test_a_prefix_is_written_first_and_every_beam_sees_what_is_real_of_it(beams):
    random = np.random.default_rng(1)
    prefix = np.array([[True, True, False], [True, False, False]])
    cache = Cache(2, 2, beams, prefix=prefix)
    cache.reserve("rows", 1, 1, "float32")
    front = random.normal(size=(2, 1, 3, 1)).astype("float32")
    assert numbers(cache.append("rows", front)).shape == (2, 1, 3 + 2 * beams, 1)
    assert numbers(cache.among_all(np.ones((1, 3, 3), bool))).tolist() == [[[True] * 3 + [False] * 2 * beams] * 3]
    written = []
    for position in range(4):
        if position == cache.length:
            cache = cache.grown(5)
        cache = cache.at(position, cache.flat())
        assert numbers(cache.place()).tolist() == [[2 + position], [1 + position]]
        new = random.normal(size=(2, 1, beams, 1)).astype("float32")
        written.append(new[:, 0, :, 0])
        whole, seen = numbers(cache.append("rows", new)), numbers(cache.visible())
        for source in range(2):
            for beam in range(beams):
                wanted = [*front[source, 0, prefix[source], 0], *[step[source, beam] for step in written]]
                np.testing.assert_array_equal(whole[source, 0, seen[source, beam], 0], wanted)
        cache.reorder(np.broadcast_to(np.arange(beams, dtype="int32"), (2, beams)))


def test_without_a_prefix_the_place_is_the_position():
    assert numbers(Cache(3, 4).at(2, {}).place()).tolist() == [[2]]


def test_every_beam_starts_from_what_is_kept():
    cache = Cache(batch=2, length=3, beams=3).child("it")
    cache.keep("zeros", (2, 4), "float32")
    assert numbers(cache.read("zeros")).shape == (2, 3, 2, 4) and not numbers(cache.read("zeros")).any()
    cache.keep("given", (2,), "float32", np.array([[1.0, 2.0], [3.0, 4.0]], "float32"))
    cache.reorder(np.array([[2, 0, 0], [1, 1, 1]], "int32"))
    assert numbers(cache.read("given")).tolist() == [[[1, 2]] * 3, [[3, 4]] * 3]


@pytest.mark.parametrize("beams", [1, 2])
def test_a_cache_goes_on_from_its_entries(beams):
    """As in another graph than the one that it began in; the prefix included."""
    prefix = ops.convert_to_tensor([[True, True, False]])
    begun = Cache(1, 2, beams, prefix=prefix)
    begun.reserve("keys", 1, 1, "float32")
    begun = begun.at(0, begun.flat())
    begun._row = 0
    begun.append("keys", ops.reshape(ops.arange(3 + beams, dtype="float32"), (1, 1, -1, 1)))
    again = Cache.of(begun.flat(), 2, beams)
    for one, other in ((begun, again), (begun.grown(4), again.grown(4))):
        one, other = (cache.at(1, cache.flat()) for cache in (one, other))
        assert one.length == other.length and one.beams == other.beams
        np.testing.assert_array_equal(one.visible(), other.visible())
        np.testing.assert_array_equal(one.place(), other.place())
        value = ops.reshape(ops.arange(beams, dtype="float32") + 50, (1, 1, -1, 1))
        np.testing.assert_array_equal(one.append("keys", value), other.append("keys", value))


@pytest.mark.parametrize("beams", [1, 3])
def test_positions_that_share_a_row_are_seen_once_it_is_full(beams):
    random = np.random.default_rng(2)
    batch, length, every = 2, 8, 3
    cache = Cache(batch, 4, beams)
    cache.child("a").reserve("rows", 1, 1, "float32", every)
    histories = [[[] for _ in range(beams)] for _ in range(batch)]
    for position in range(length):
        if position == cache.length:
            cache = cache.grown(length)
        cache = cache.at(position, cache.flat())
        new = random.normal(size=(batch, 1, beams, 1)).astype("float32")
        whole = numbers(cache.child("a").append("rows", new, every))
        rows = -(-cache.length // every) * beams
        assert whole.shape == (batch, 1, rows, 1)
        visible = np.broadcast_to(numbers(cache.visible_blocks(every)), (batch, beams, rows))
        for source in range(batch):
            for beam in range(beams):
                np.testing.assert_array_equal(
                    whole[source, 0, visible[source, beam], 0], histories[source][beam][every - 1 :: every]
                )
                histories[source][beam] = [*histories[source][beam], new[source, 0, beam, 0]]
        parents = random.integers(0, beams, size=(batch, beams)).astype("int32")
        cache.reorder(parents)
        histories = [[histories[source][parent] for parent in parents[source]] for source in range(batch)]
