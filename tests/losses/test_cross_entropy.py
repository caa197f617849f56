"""Cross-entropy, against the formula in float64 and Tensor2Tensor's numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import compiled, numbers

from kt2t.losses import CrossEntropy
from kt2t.registry import build, describe

RNG = np.random.default_rng(0)
LOGITS = (RNG.normal(size=(3, 5, 11)) * 3).astype("float32")
IDS = RNG.integers(0, 11, size=(3, 5)).astype("int32")


def by_formula(ids, logits, smoothing=0.0, z_loss=0.0):
    logits = logits.astype("float64")
    normaliser = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
    log_p = logits - normaliser[..., None]
    size = logits.shape[-1]
    q = np.where(np.arange(size) == ids[..., None], 1 - smoothing, smoothing / (size - 1))
    entropy = -np.sum(q * np.log(np.where(q > 0, q, 1)), -1)
    return -(q * log_p).sum(-1) - entropy + z_loss * normaliser**2


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3, 0.95])
@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
def test_each_value_is_the_formula(smoothing, z_loss):
    values = numbers(CrossEntropy(smoothing, z_loss).call(IDS, LOGITS))
    np.testing.assert_allclose(values, by_formula(IDS, LOGITS, smoothing, z_loss), rtol=2e-5, atol=2e-5)
    assert values.dtype == np.float32


def test_the_sums_are_tensor2tensors(golden):
    z = golden("layer_cross_entropy")
    logits, labels = z["in/logits"][:, :, 0, 0], z["in/labels"][:, :, 0, 0]
    for index, smoothing in enumerate([0.0, 0.1, 0.3]):
        values = numbers(CrossEntropy(smoothing).call(labels, logits))
        assert (values * (labels > 0)).sum() == pytest.approx(float(z[f"out/num_{index}"]), rel=1e-5)
    per_token = {s: numbers(CrossEntropy(s).call(labels, logits)) * (labels > 0) for s in (0.0, 0.1, 0.3)}
    expected = z["out/y"][:, :, 0, 0]
    assert min(np.abs(values - expected).max() for values in per_token.values()) < 1e-5 * np.abs(expected).max()


def test_smoothing_one_class_is_none():
    np.testing.assert_allclose(numbers(CrossEntropy(0.1).call(IDS[:, :1] * 0, LOGITS[:, :1, :1])), 0, atol=1e-6)


def test_a_perfect_model_scores_zero():
    q = np.where(np.arange(11) == IDS[..., None], 0.9, 0.1 / 10)
    np.testing.assert_allclose(numbers(CrossEntropy(0.1).call(IDS, np.log(q).astype("float32"))), 0, atol=1e-6)


def test_bfloat16_logits_are_judged_in_float32():
    half = keras.ops.cast(LOGITS, "bfloat16")
    values = CrossEntropy(0.1).call(IDS, half)
    expected = by_formula(IDS, numbers(keras.ops.cast(half, "float32")), 0.1)
    np.testing.assert_allclose(numbers(values), expected, rtol=2e-5, atol=2e-5)


def test_a_forbidden_id_does_not_spoil_the_others():
    """Without smoothing a logit of -1e9 takes its id out of the sum."""
    logits = LOGITS.copy()
    logits[..., 0] = -1e9
    values = numbers(CrossEntropy().call(np.maximum(IDS, 1), logits))
    np.testing.assert_allclose(values, by_formula(np.maximum(IDS, 1) - 1, logits[..., 1:]), rtol=1e-5, atol=1e-5)


def test_the_gradient_is_the_formulas():
    """p - q, times 1 + 2 z log Σ exp for the first part's penalty."""
    loss = CrossEntropy(0.1, 0.01)
    if keras.backend.backend() == "jax":
        import jax

        gradient = jax.grad(lambda x: loss.call(IDS, x).sum())(LOGITS)
    else:
        import tensorflow as tf

        x = tf.constant(LOGITS)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(loss.call(IDS, x))
        gradient = tape.gradient(value, x)
    wide = LOGITS.astype("float64")
    normaliser = np.log(np.exp(wide).sum(-1, keepdims=True))
    p = np.exp(wide - normaliser)
    q = np.where(np.arange(11) == IDS[..., None], 0.9, 0.01)
    np.testing.assert_allclose(numbers(gradient), p - q + 0.02 * normaliser * p, atol=1e-5)


def test_it_is_a_keras_loss_too():
    weight = (IDS > 3).astype("float32")
    values = by_formula(IDS, LOGITS, 0.1)
    assert float(CrossEntropy(0.1, reduction="sum")(IDS, LOGITS, weight)) == pytest.approx(
        (values * weight).sum(), rel=1e-4
    )
    assert float(CrossEntropy(0.1)(IDS, LOGITS)) == pytest.approx(values.mean(), rel=1e-4)
    np.testing.assert_allclose(numbers(CrossEntropy(0.1, reduction=None)(IDS, LOGITS)), values, rtol=1e-4, atol=1e-5)


def test_compiled_equals_eager_and_one_label_a_row_works():
    loss = CrossEntropy(0.1)
    np.testing.assert_allclose(numbers(compiled(loss.call)(IDS, LOGITS)), numbers(loss.call(IDS, LOGITS)), atol=1e-6)
    np.testing.assert_allclose(
        numbers(loss.call(IDS[:, 0], LOGITS[:, 0])), by_formula(IDS, LOGITS, 0.1)[:, 0], atol=1e-4
    )


def test_the_node_builds_it_again():
    node = describe(CrossEntropy(label_smoothing=0.1))
    assert node == {"type": "CrossEntropy", "label_smoothing": 0.1}
    assert describe(build(node, "loss")) == node
    saved = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(CrossEntropy(0.1, 0.2)))
    assert (saved.label_smoothing, saved.z_loss) == (0.1, 0.2)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="label_smoothing: 1.0"):
        CrossEntropy(1.0)
    with pytest.raises(ValueError, match="z_loss: -1"):
        CrossEntropy(z_loss=-1)
