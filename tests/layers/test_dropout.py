"""Dropout keeps the expectation, shares masks where asked, and depends on seed, step and path only."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, compiled, forward, numbers
from keras import ops

from kt2t.layers import Dropout
from kt2t.ops import randomness

X = np.random.default_rng(0).normal(size=(3, 5, 7)).astype("float32") + 3


def dropped(layer, x, seed=1, step=2, **place):
    with randomness.root(seed, step, **place):
        return numbers(forward(layer)(x, training=True))


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: Dropout(0.4, **k), X, shape=X.shape, weights={}, has_dropout=True)


def test_what_stays_is_scaled_and_the_expectation_is_kept():
    x = np.ones((50, 40, 30), "float32")
    y = dropped(Dropout(0.3), x)
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-6)
    assert y.mean() == pytest.approx(1, abs=0.02)


def test_a_rate_of_zero_and_inference_change_nothing():
    np.testing.assert_array_equal(dropped(Dropout(0.0), X), X)
    np.testing.assert_array_equal(numbers(Dropout(0.9)(X, training=False)), X)
    np.testing.assert_array_equal(numbers(Dropout(0.9)(X)), X)


@pytest.mark.parametrize("axes", [[1], [0, 2], [-1]])
def test_broadcast_axes_share_one_mask(axes):
    y = dropped(Dropout(0.5, broadcast_axes=axes), np.ones((8, 9, 10), "float32"))
    assert len(np.unique(y)) == 2
    for axis in axes:
        np.testing.assert_array_equal(y, np.broadcast_to(np.take(y, [0], axis=axis), y.shape))


def test_two_layers_two_calls_two_replicas_never_share_a_mask():
    x = np.ones((4, 64), "float32")
    model = keras.Sequential([Dropout(0.5), Dropout(0.5)])
    randomness.name_layers(model)
    first, second = model.layers
    with randomness.root(1, 2):
        masks = [numbers(forward(layer)(x, training=True)) for layer in (first, second, first)]
    masks += [dropped(first, x, step=3), dropped(first, x, seed=2), dropped(first, x, replica=1)]
    masks += [dropped(first, x, micro_batch=1)]
    assert len({mask.tobytes() for mask in masks}) == len(masks)
    np.testing.assert_array_equal(dropped(first, x), masks[0])


def test_a_new_process_draws_the_same():
    """Nothing but the numbers goes into the seed: another object with the same path has the same mask."""
    masks = []
    for _ in range(2):
        holder = keras.Sequential([Dropout(0.5)])
        randomness.name_layers(holder)
        masks.append(dropped(holder.layers[0], X))
    np.testing.assert_array_equal(*masks)


def test_recomputation_sees_the_same_mask():
    layer = Dropout(0.5)
    x = np.ones((4, 64), "float32")
    with randomness.root(1, 2):
        again = randomness.repeatable(lambda: numbers(forward(layer)(x, training=True)))
    np.testing.assert_array_equal(again(), again())


def test_the_gradient_goes_where_the_mask_lets_it():
    layer = Dropout(0.5)
    if keras.backend.backend() == "jax":
        import jax

        def value(x):
            with randomness.root(1, 2):
                y = layer(x, training=True)
            return ops.sum(y), y

        gradient, y = jax.grad(value, has_aux=True)(ops.convert_to_tensor(X))
    else:
        import tensorflow as tf

        x = tf.constant(X)
        with tf.GradientTape() as tape, randomness.root(1, 2):
            tape.watch(x)
            y = layer(x, training=True)
        gradient = tape.gradient(y, x)
    np.testing.assert_allclose(numbers(gradient), numbers(y) / X, rtol=1e-5)


def test_a_last_axis_of_unknown_length():
    layer = Dropout(0.5)

    def train(step, x):
        with randomness.root(1, step):
            return layer(ops.cast(x, "float32"), training=True)

    ids = np.arange(1, 31).reshape(5, 6)
    drawn = numbers(compiled(train)(np.asarray(2, "int32"), ids))
    np.testing.assert_allclose(drawn, dropped(layer, ids.astype("float32")))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_a_rate_that_is_no_probability_is_refused(rate):
    with pytest.raises(ValueError, match=f"rate: {rate}"):
        Dropout(rate)
