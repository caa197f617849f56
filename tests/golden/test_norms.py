"""The norms against Tensor2Tensor's; its group norm is Keras's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import L2Norm, LayerNorm, NoamNorm

GROUPS, GROUP_EPSILON = 8, 1e-5  # upstream's defaults, which no file varies

pytestmark = pytest.mark.cases("layer_norms")


def _near(found, wanted):
    np.testing.assert_allclose(numbers(found), wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)


def _with_weights(layer, case, kind):
    layer.build(case["in/x"].shape)
    (scale,) = [name for name in case.files if name.startswith("var/") and name.endswith(f"{kind}_norm_scale")]
    layer.set_weights([case[scale], case[scale.removesuffix("scale") + "bias"]])
    return layer


def test_layer_norm(case):
    _near(_with_weights(LayerNorm(), case, "layer")(case["in/x"]), case["out/y"])


def test_l2_norm(case):
    _near(_with_weights(L2Norm(), case, "l2")(case["in/x"]), case["out/l2"])


def test_noam_norm(case):
    _near(NoamNorm()(case["in/x"]), case["out/noam"])


def test_group_norm(case):
    layer = keras.layers.GroupNormalization(GROUPS, epsilon=GROUP_EPSILON)
    _near(_with_weights(layer, case, "group")(case["in/x"]), case["out/group"])


def test_gradients_of_layer_norm(case):
    layer = _with_weights(LayerNorm(), case, "layer")
    weights = {"scale": layer.scale, "bias": layer.shift}

    def total(x):
        return ops.sum(layer(x) * case["in/grad_weights"])

    if keras.backend.backend() == "jax":
        import jax

        def stateless(x, values):
            with keras.StatelessScope(list(zip(weights.values(), values, strict=True))):
                return total(x)

        values = [weight.value for weight in weights.values()]
        value, (by_x, by_weights) = jax.value_and_grad(stateless, argnums=(0, 1))(case["in/x"], values)
    else:
        import tensorflow as tf

        x = tf.constant(case["in/x"])
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = total(x)
        by_x, by_weights = tape.gradient(value, [x, [weight.value for weight in weights.values()]])
    np.testing.assert_allclose(float(value), case["out/scalar_for_grad"], rtol=1e-4, atol=1e-4)
    wanted = [case["gradin/x"]]
    for name in weights:
        wanted += [case[key] for key in case.files if key.startswith("grad/") and key.endswith(f"layer_norm_{name}")]
    for ours, theirs in zip([by_x, *by_weights], wanted, strict=True):
        np.testing.assert_allclose(numbers(ours), theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)
