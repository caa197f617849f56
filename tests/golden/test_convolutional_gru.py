"""Convolutional GRUs and their activations against Tensor2Tensor's own numbers.

Of the diagonal unit the activations and the cost of its gates are compared. The rest of upstream's is no oracle: it shifts
along the width, which is 1 for text, and its candidate is soft. `tests/layers` has the paper's formula.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import DiagonalConvolutionalGRU, SaturatingConvolutionalGRU
from kt2t.ops import saturation

pytestmark = [
    pytest.mark.cases("layer_conv_gru"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="layer cases run on TensorFlow"),
]
# The file does not tell what the sigmoid's input is: of x and its small multiples, this one alone gives its numbers in NumPy.
TIMES_X = 2.0
PARTS = {"reset": "reset", "update": "gate", "candidate": "candidate"}


def _near(found, wanted, limit=1e-5):
    np.testing.assert_allclose(numbers(found), wanted, atol=limit * max(np.abs(wanted).max(), 1e-6), rtol=0)


def _unit(case, kind, scope):
    kernel = case[f"var/layer/{scope}/reset_single/kernel"]
    layer = kind(kernel.shape[-1], len(kernel))
    layer.build((None, None, kernel.shape[-2]))
    for ours, name in PARTS.items():
        part = getattr(layer, ours)
        part.kernel.assign(case[f"var/layer/{scope}/{name}_single/kernel"][:, 0])
        part.bias.assign(case[f"var/layer/{scope}/{name}_single/bias"])
    return layer


def test_a_step_and_its_gradients(case):
    import tensorflow as tf

    layer = _unit(case, SaturatingConvolutionalGRU, "cgru")
    x = tf.constant(case["in/x"][:, :, 0])
    weights = [getattr(getattr(layer, ours), leaf).value for ours in PARTS for leaf in ("kernel", "bias")]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        total = tf.reduce_sum(y * case["in/grad_weights"][:, :, 0])
    _near(y, case["out/y"][:, :, 0])
    _near(total, case["out/scalar_for_grad"])
    found = tape.gradient(total, [x, *weights])
    names = [f"grad/layer/cgru/{name}_single/{leaf}" for name in PARTS.values() for leaf in ("kernel", "bias")]
    for name, gradient in zip(["gradin/x", *names], found, strict=True):
        _near(np.squeeze(numbers(gradient)), np.squeeze(case[name]), 1e-4)


def test_activations(case):
    x = case["in/x"]
    _near(saturation.saturating_sigmoid(TIMES_X * x), case["out/sat_sigmoid"])
    _near(saturation.hard_sigmoid(x), case["out/hard_sigmoid"])
    _near(saturation.hard_tanh(x), case["out/hard_tanh"])
    _near(ops.mean(saturation.excess(x)), case["out/hard_sigmoid_cost"])


def test_the_cost_of_diagonal_gates(case):
    layer = _unit(case, DiagonalConvolutionalGRU, "dcgru")
    x = case["in/x"][:, :, 0]
    costs = [ops.mean(saturation.excess(gate(x))) for gate in (layer.reset, layer.update)]
    _near(sum(costs) / 2, case["out/diagonal_cost"])
