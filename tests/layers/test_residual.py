"""The residual wiring, against its two formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import FeedForward, NoamNorm, Residual
from kt2t.ops import randomness
from kt2t.registry import register

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


@register
class MemoryGate(keras.layers.Layer):
    """Test layer: memory · gate + x, times a factor in training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gate = self.add_weight(shape=(4,), initializer="ones", name="gate")

    def call(self, x, memory=None, factor=1.0, training=None):
        y = x if memory is None else x + memory * self.gate
        return y * factor * (2.0 if training else 1.0)


def normalised(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_it_is_a_layer_like_any(norm, dropout):
    weights = {"norm.scale": (4,), "norm.shift": (4,)}
    weights |= {"sublayer.widen.kernel": (4, 6), "sublayer.widen.bias": (6,)}
    weights |= {"sublayer.narrow.kernel": (6, 4), "sublayer.narrow.bias": (4,)}
    check_layer(
        lambda **k: Residual(FeedForward(6, activation="tanh", **k), norm, dropout, **k),
        X,
        shape=X.shape,
        weights=weights,
        has_dropout=dropout > 0,
    )


@pytest.mark.parametrize(
    ("norm", "formula"), [("pre", lambda x, f: x + f(normalised(x))), ("post", lambda x, f: normalised(x + f(x)))]
)
def test_it_is_the_formula_and_further_arguments_reach_the_sublayer(norm, formula):
    layer = Residual(MemoryGate(), norm)
    memory = np.random.default_rng(1).normal(size=X.shape).astype("float32")
    expected = formula(X, lambda y: 3 * (y + memory))
    np.testing.assert_allclose(numbers(forward(layer)(X, memory, factor=3.0)), expected, atol=1e-5)
    np.testing.assert_allclose(numbers(forward(layer)(X, memory=memory, factor=3.0)), expected, atol=1e-5)


def test_training_reaches_the_sublayer():
    layer = Residual(MemoryGate())
    np.testing.assert_allclose(numbers(forward(layer)(X, training=True)), X + 2 * normalised(X), atol=1e-5)
    np.testing.assert_allclose(numbers(forward(layer)(X, training=False)), X + normalised(X), atol=1e-5)


def test_whoever_calls_says_whether_it_is_training():
    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Residual(MemoryGate())

        def call(self, x, training=None):
            return self.inner(x)

    outer = Outer()
    np.testing.assert_allclose(numbers(outer(X, training=True)), X + 2 * normalised(X), atol=1e-5)
    np.testing.assert_allclose(numbers(outer(X)), X + normalised(X), atol=1e-5)


def test_dropout_falls_on_the_sublayers_output_alone():
    with randomness.root(1, 2):
        added = numbers(Residual(MemoryGate(), dropout=0.5)(X, training=True)) - X
    kept = np.abs(added) > 1e-6
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(added[kept], (4 * normalised(X))[kept], rtol=1e-4, atol=1e-5)


def test_a_norm_of_another_name_is_refused():
    with pytest.raises(ValueError, match="norm: 'both' is neither pre nor post"):
        Residual(FeedForward(4), norm="both")


def test_another_norm_may_be_handed_in():
    layer = Residual(FeedForward(4), "post", normalization=NoamNorm())
    check_layer(lambda **o: Residual(FeedForward(4, **o), "post", normalization=NoamNorm(), **o), X, shape=X.shape)
    y = numbers(forward(layer)(X))
    np.testing.assert_allclose((y**2).sum(-1), X.shape[-1], rtol=1e-4)
