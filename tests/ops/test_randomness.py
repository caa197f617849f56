"""A seed is a function of seed, step, replica, micro-batch, layer and call, and of nothing else."""

from __future__ import annotations

import contextlib
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kt2t.ops import randomness


class Pair(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.left = keras.layers.Identity()
        self.right = keras.layers.Identity()


def named_pair():
    pair = Pair()
    randomness.name_layers(pair)
    return pair


def drawn(layer):
    return tuple(ops.convert_to_numpy(randomness.layer_seed(layer).value).tolist())


def test_no_root_no_seed():
    assert randomness.layer_seed(named_pair().left) is None


def test_each_of_the_six_numbers_matters_and_nothing_else_does():
    def seeds(seed, step, replica, micro_batch):
        pair = named_pair()
        with randomness.root(seed, step, replica, micro_batch):
            return [drawn(pair.left), drawn(pair.right), drawn(pair.left)]

    places = list(itertools.product([0, 1], [0, 1, 7], [0, 1], [0, 3]))
    every = [seed for place in places for seed in seeds(*place)]
    assert len(set(every)) == 3 * len(places)
    assert every == [seed for place in places for seed in seeds(*place)]


def test_order_of_other_layers_does_not_matter():
    pair = named_pair()
    with randomness.root(1, 2):
        first = drawn(pair.left), drawn(pair.right)
    with randomness.root(1, 2):
        right, left = drawn(pair.right), drawn(pair.left)
    assert first == (left, right)


def test_layers_without_a_path_differ_too():
    with randomness.root(1, 2):
        assert drawn(keras.layers.Identity()) != drawn(keras.layers.Identity())


def test_keras_random_takes_the_seed_and_gives_the_same_again():
    layer = named_pair().left
    with randomness.root(1, 2):
        seed = randomness.layer_seed(layer)
    first, again = (ops.convert_to_numpy(keras.random.uniform((4, 5), seed=seed)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    with randomness.root(1, 3):
        other = ops.convert_to_numpy(keras.random.uniform((4, 5), seed=randomness.layer_seed(layer)))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9995])
def test_elements_are_dropped_at_the_exact_rate(rate):
    shape = (40, 50, 101)
    seed = randomness.Seed(ops.convert_to_tensor([3, 4], dtype=randomness._dtype()))
    kept = ops.convert_to_numpy(randomness.kept(shape, rate, seed))
    assert kept.shape == shape and kept.dtype == bool
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs((1 - kept.mean()) - rate) <= 4 * deviation
    for axis in range(3):  # no place along any axis is favoured
        along = kept.mean(axis=tuple({0, 1, 2} - {axis}))
        assert np.abs((1 - along) - rate).max() <= 7 * np.sqrt(rate * (1 - rate) * shape[axis] / kept.size) + 1e-9
    pairs = 1 - np.logical_or(kept[..., 1:], kept[..., :-1]).mean()
    assert abs(pairs - rate**2) <= 5 * np.sqrt(rate**2 / kept.size) + 1e-9


def test_a_closed_root_leaves_the_outer_one():
    layer = named_pair().left
    with randomness.root(1, 2):
        outer = drawn(layer)
        with randomness.root(1, 3):
            drawn(layer)
        after = drawn(layer)
    with randomness.root(1, 2):
        assert (outer, after) == (drawn(layer), drawn(layer))


def test_what_is_repeatable_draws_the_same_each_time_and_what_follows_draws_anew():
    layer = named_pair().left
    with randomness.root(1, 2):
        before = drawn(layer)
        twice = randomness.repeatable(lambda: (drawn(layer), drawn(layer)))
        first = twice()
        after = drawn(layer)
    assert twice() == first
    assert len({before, *first, after}) == 4
    with randomness.root(1, 2):
        assert [before, *first, after] == [drawn(layer) for _ in range(4)]


def test_without_a_root_a_repeatable_function_is_itself():
    assert randomness.repeatable(test_no_root_no_seed) is test_no_root_no_seed


def test_whether_a_root_is_open():
    assert not randomness.is_open()
    with randomness.root(1, 2):
        assert randomness.is_open()
    assert not randomness.is_open()


def test_what_waits_for_an_argument_draws_what_it_would_without():
    layer = named_pair().left
    for x in (np.ones((2, 3), "float32"), np.full((1,), np.nan, "float32"), np.zeros((0, 3), "float32")):
        with randomness.root(1, 2):
            waited = randomness.repeatable(lambda x: drawn(layer))(keras.ops.convert_to_tensor(x))
        with randomness.root(1, 2):
            assert waited == drawn(layer)


@pytest.mark.parametrize("is_open", [True, False])
def test_each_turn_of_a_loop_draws_other_numbers(is_open):
    """The body is traced once, so without help every turn would draw the same."""
    layer = named_pair().left

    def loop(step):
        def body(number, total):
            seed = randomness.layer_seed(layer)
            drawn = ops.cast(randomness.kept([32], 0.5, seed), "float32")
            return total + drawn * 2.0 ** ops.cast(number, "float32")

        with randomness.root(1, step) if is_open else contextlib.nullcontext():
            turn = randomness.in_turn(body, generator)
            return ops.convert_to_numpy(ops.fori_loop(0, 4, turn, ops.zeros([32]))).astype(int)

    generator = keras.random.SeedGenerator(3)
    first, again, later = loop(5), loop(5), loop(6)
    assert len({tuple(first >> turn & 1) for turn in range(4)}) == 4
    assert (first == again).all() == is_open
    assert (first != later).any()


def test_a_body_that_draws_nothing_stays_as_it_is():
    def body(number):
        return number

    assert randomness.in_turn(body) is body
