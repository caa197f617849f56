"""Mixtures of experts against Tensor2Tensor's own numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import CapacityLimitedExperts, MixtureOfExperts
from kt2t.ops.experts import squared_variation

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="layer cases run on TensorFlow")
GATES = "var/layer/noisy_top_k_gating/"


def gates_quietly(meta):
    """gating without noise"""
    return "out/cv2_importance" in meta["arrays"]


def mixes_experts(meta):
    """a mixture whose experts take any number of tokens"""
    return "var/layer/local_moe/parallel_0/w_0" in meta["arrays"]


def _near(found, wanted, limit=1e-5):
    np.testing.assert_allclose(numbers(found), wanted, atol=limit * max(np.abs(wanted).max(), 1e-6), rtol=0)


def _gated(case, scope=GATES):
    """A mixture with the case's gate; k is told by the chosen weights alone."""
    gate = case[f"{scope}w_gate"]
    layer = MixtureOfExperts(gate.shape[1], 2, k=int((case["out/y"][0] > 0).sum()))
    layer.build((None, None, len(gate)))
    layer.gate.assign(gate)
    if f"{scope}w_noise" in case.files:
        layer.noise.assign(case[f"{scope}w_noise"])
    return layer


def _dense(chosen, weights, experts):
    return ops.sum(ops.one_hot(chosen, experts, dtype="float32") * ops.expand_dims(weights, 2), axis=1)


@pytest.mark.cases.with_args(gates_quietly)
def test_gates_without_noise(case):
    for scope, gates, load in ((GATES, "y", "load"), ("var/layer/noisy/noisy_top_k_gating/", "gates_noisy_eval", None)):
        layer = _gated(case, scope)
        chosen, weights, importance, found = layer.choices(ops.convert_to_tensor(case["in/x"]))
        _near(_dense(chosen, weights, layer.num_experts), case[f"out/{gates}"])
        if load is not None:
            _near(found, case[f"out/{load}"])
            _near(squared_variation(importance), case["out/cv2_importance"])


@pytest.mark.cases("layer_noisy_top_k_gating_train")
def test_gates_with_noise_and_their_gradients(case):
    import tensorflow as tf

    layer = _gated(case)
    x, noise = tf.constant(case["in/x"]), tf.constant(case["in/c_noise"])
    with tf.GradientTape() as tape:
        tape.watch([x, noise])
        chosen, weights, importance, load = layer.choices(x, noise=noise)
        gates = _dense(chosen, weights, layer.num_experts)
        loss = squared_variation(importance) + squared_variation(load)
        total = tf.reduce_sum(gates * case["in/grad_weights"])
    _near(gates, case["out/y"])
    _near(importance, case["out/importance"])
    _near(load, case["out/load"])
    _near(loss, case["out/loss"])
    _near(total, case["out/scalar_for_grad"])
    found = tape.gradient(total, [x, noise, layer.gate.value, layer.noise.value])
    names = ("gradin/x", "gradin/c_noise", f"grad{GATES[3:]}w_gate", f"grad{GATES[3:]}w_noise")
    for name, gradient in zip(names, found, strict=True):
        _near(gradient, case[name], 1e-4)


@pytest.mark.cases.with_args(mixes_experts)
def test_a_mixture_of_experts(case):
    scope = "var/layer/local_moe/"
    experts = [name for name in case.files if name.startswith(f"{scope}parallel_") and name.endswith("w_0")]
    both = [np.stack([case[f"{scope}parallel_{e}/w_{i}"] for e in range(len(experts))]) for i in (0, 1)]
    layer = MixtureOfExperts(len(experts), both[0].shape[2], loss_weight=1.0)
    layer(case["in/x"])
    layer.gate.assign(case[f"{scope}noisy_top_k_gating/w_gate"])
    layer.experts.widen.assign(both[0])
    layer.experts.narrow.assign(both[1])
    _near(layer(case["in/x"]), case["out/y"])
    _near(layer.losses[-1], case["out/loss"])


@pytest.mark.cases("layer_local_moe_tpu")
def test_experts_of_limited_capacity_and_their_gradients(case):
    import tensorflow as tf

    experts, _, width = case["var/layer/x0/w"].shape
    layer = CapacityLimitedExperts(experts, width, loss_weight=1.0)
    layer(case["in/x"])
    weights = {
        "logits/kernel": layer.gate.kernel,
        "logits/bias": layer.gate.bias,
        "x0/w": layer.experts.widen,
        "x1/w": layer.experts.narrow,
    }
    for name, weight in weights.items():
        weight.assign(case[f"var/layer/{name}"])
    x = tf.constant(case["in/x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        total = tf.reduce_sum(y * case["in/grad_weights"])
    _near(y, case["out/y"])
    _near(layer.losses[-1], case["out/loss"])
    _near(total, case["out/scalar_for_grad"])
    found = tape.gradient(total, [x, *(weight.value for weight in weights.values())])
    for name, gradient in zip(["gradin/x", *(f"grad/layer/{one}" for one in weights)], found, strict=True):
        _near(gradient, case[name], 1e-4)
