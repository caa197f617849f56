"""Batch normalization, against the formula in float64."""

from __future__ import annotations

import harness
import keras
import numpy as np
import pytest
from harness import forward, numbers
from keras import ops

from kt2t.layers import BatchNorm
from kt2t.ops import whole_batch
from kt2t.ops.paths import attribute_paths

DRAW = np.random.default_rng(0)
X = (DRAW.normal(size=(6, 4, 3)) * [1, 5, 0.2] + [0, 3, -1]).astype("float32")
SEGMENTS = np.array([[1, 1, 1, 1], [1, 1, 2, 0], [1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0], [1, 2, 3, 4]], "int32")


def by_hand(x, counts, epsilon=1e-3):
    """The normalized x, and the mean and variance of what counts."""
    real = x.astype("float64")[np.broadcast_to(counts, x.shape[:-1])]
    mean, variance = real.mean(0), real.var(0)
    return (x - mean) / np.sqrt(variance + epsilon), mean, variance


@pytest.mark.parametrize("options", [{}, {"center": False, "scale": False, "momentum": 0.5}], ids=str)
def test_it_is_a_layer(options):
    """What `check_layer` checks; only in training the layer differs, without dropout."""

    def make(**kwargs):
        return BatchNorm(**options, **kwargs)

    layer = make()
    output = numbers(forward(layer)(X))
    names = (["gamma", "beta"] if not options else []) + ["moving_mean", "moving_variance"]
    assert {path: tuple(weight.shape) for path, weight in attribute_paths(layer).items()} == dict.fromkeys(names, (3,))
    harness.check_symbolic(layer, [X], {}, X.shape)
    harness.check_config(layer)
    harness.check_copy(layer, [X], {}, output, 1e-6)
    harness.check_gradients(layer, [X], {"training": True}, ())
    harness.check_compiled(make(), [X], {}, output, False, 1e-5)
    harness.check_bfloat16(make, [X], {}, output)


@pytest.mark.parametrize("shape", [(24, 3), (6, 4, 3), (2, 3, 4, 3)])
def test_training_uses_the_batch_and_moves_the_averages(shape):
    layer, x = BatchNorm(momentum=0.9), X.reshape(shape)
    wanted, mean, variance = by_hand(x, np.ones(shape[:-1], bool))
    np.testing.assert_allclose(numbers(forward(layer)(x, training=True)), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numbers(layer.moving_mean), 0.1 * mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(numbers(layer.moving_variance), 0.9 + 0.1 * variance, rtol=1e-5)
    moving = (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * variance + 1e-3)
    np.testing.assert_allclose(numbers(forward(layer)(x)), moving, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", ["rows", "positions", "both"])
def test_what_weighs_nothing_changes_nothing(hidden):
    rows = np.array([True, True, False, True, True, False]) if hidden != "positions" else np.ones(6, bool)
    segments = SEGMENTS if hidden != "rows" else None
    counts = rows[:, None] & (np.ones((6, 4), bool) if segments is None else segments > 0)
    found = []
    for garbage in (0.0, 1e6):
        layer, x = BatchNorm(momentum=0.5), np.where(counts[..., None], X, np.float32(garbage))
        with whole_batch.showing(ops.convert_to_tensor(rows) if hidden != "positions" else None):
            y = numbers(forward(layer)(x, segments, training=True))
        wanted, mean, variance = by_hand(x, counts)
        np.testing.assert_allclose(y[counts], wanted[counts], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(numbers(layer.moving_mean), 0.5 * mean, rtol=1e-5, atol=1e-6)
        found.append((y[counts], numbers(layer.moving_mean), numbers(layer.moving_variance)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_nothing_counts_the_averages_stay():
    layer = BatchNorm()
    layer.build(X.shape)
    y = numbers(forward(layer)(X, np.zeros((6, 4), "int32"), training=True))
    assert np.isfinite(y).all() and not numbers(layer.moving_mean).any() and (numbers(layer.moving_variance) == 1).all()


def test_a_frozen_layer_keeps_its_averages():
    layer = BatchNorm()
    layer.build(X.shape)
    layer.trainable = False
    np.testing.assert_allclose(numbers(forward(layer)(X, training=True)), X / np.sqrt(1 + 1e-3), rtol=1e-5)
    assert not numbers(layer.moving_mean).any()


def test_it_is_keras_batch_normalization_where_all_counts():
    ours, theirs = BatchNorm(momentum=0.8, epsilon=1e-2), keras.layers.BatchNormalization(momentum=0.8, epsilon=1e-2)
    for _ in range(3):
        one, other = numbers(ours(X, training=True)), numbers(theirs(X, training=True))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numbers(ours(X)), numbers(theirs(X)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("option", [{"momentum": 1.0}, {"epsilon": 0.0}])
def test_options_that_cannot_be_are_refused(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        BatchNorm(**option)
