from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.registry import build, describe
from kt2t.training.optimizers.adam import Adam
from kt2t.training.schedules import Noam

OPTIONS = [
    {},
    {"learning_rate": Noam(16, 5), "beta_2": 0.98, "epsilon": 1e-9},
    {"learning_rate": 0.05, "weight_decay": 0.1, "use_ema": True},
    {"global_clipnorm": 0.1},
    {"clipvalue": 0.2, "ema_overwrite_frequency": 3, "use_ema": True},
]


def trained(cls, options, steps=20, dtype="float32"):
    draw = np.random.default_rng(0)
    shapes = [(30, 20), (7,), ()]
    weights = [keras.Variable(draw.normal(size=shape), dtype=dtype) for shape in shapes]
    optimizer = cls(**options)
    optimizer.build(weights)
    for _ in range(steps):
        gradients = [keras.ops.convert_to_tensor(draw.normal(size=shape), dtype=dtype) for shape in shapes]
        optimizer.apply(gradients, weights)
    return [keras.ops.convert_to_numpy(one).astype("float32") for one in [*weights, *optimizer.variables]]


@pytest.mark.parametrize("options", OPTIONS)
def test_the_same_as_kerass_after_twenty_steps(options):
    for ours, theirs in zip(trained(Adam, options), trained(keras.optimizers.Adam, options), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-5)


def test_the_formula_by_hand():
    weight, mean, square = 1.0, 0.0, 0.0
    variable = keras.Variable(weight)
    optimizer = Adam(0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3)
    for step, gradient in enumerate([0.5, -2.0, 3.0], start=1):
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.9 * square + 0.1 * gradient**2
        weight -= 0.1 * np.sqrt(1 - 0.9**step) / (1 - 0.8**step) * mean / (np.sqrt(square) + 1e-3)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    assert float(variable.value) == pytest.approx(weight, rel=1e-5)


def test_other_dtypes_take_kerass_way():
    pairs = zip(trained(Adam, {}, 3, "bfloat16"), trained(keras.optimizers.Adam, {}, 3, "bfloat16"), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sparse gradients are TensorFlow's")
def test_a_sparse_gradient_updates_as_its_dense_form():
    import tensorflow as tf

    rows = tf.IndexedSlices(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([2, 0]), tf.constant([3, 2]))
    found = []
    for gradient in (rows, tf.convert_to_tensor(rows)):
        table = keras.Variable(np.ones((3, 2), "float32"))
        Adam(0.1).apply([gradient], [table])
        found.append(table.numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_described_and_saved_it_keeps_its_schedule():
    node = {"type": "Adam", "learning_rate": {"type": "Noam", "hidden_dim": 8}, "beta_2": 0.98, "global_clipnorm": 1.0}
    optimizer = build(node, "optimizer")
    assert type(optimizer) is Adam
    assert describe(optimizer) == node
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (again.beta_2, again.global_clipnorm, describe(again._learning_rate)) == (0.98, 1.0, node["learning_rate"])


def test_a_whole_number_is_a_learning_rate():
    assert float(Adam(1).learning_rate) == 1.0
