"""A reversible block built on the interface, against plain automatic differentiation; `test_jax.py` runs it on JAX too."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from kt2t.layers import BatchNorm, Dropout
from kt2t.ops import randomness
from kt2t.ops.custom_gradient import Piece, with_gradient

ON_JAX = keras.backend.backend() == "jax"
number = keras.ops.convert_to_numpy
DRAW = np.random.default_rng(0)
X1, X2 = (DRAW.normal(size=(4, 3)).astype("float32") for _ in range(2))


class Residue(keras.layers.Layer):
    """Batch normalization, a dense layer and dropout, with a loss of its own."""

    def __init__(self):
        super().__init__()
        self.norm, self.dense, self.dropout = BatchNorm(), keras.layers.Dense(3, "tanh"), Dropout(0.4)
        self.norm.build((None, 3)), self.dense.build((None, 3))
        self.built = True

    def call(self, x, training=None):
        y = self.dropout(self.dense(self.norm(x, training=training)), training=training)
        self.add_loss(0.1 * ops.mean(ops.square(y)))
        return y


def forward(f, g, x1, x2):
    y1 = x1 + f(x2)
    return y1, x2 + g(y1)


def backward(f, g, kept, gradients):
    """Equations 8 and 9 of Gomez et al. 2017: the inputs come back from the outputs."""
    (y1, y2), (by_y1, by_y2) = kept, gradients
    of_g, pull = g.pullback(y1)
    x2 = y2 - of_g
    by_z1 = by_y1 + pull(by_y2)[0]
    _, pull = f.pullback(x2)
    return by_z1, by_y2 + pull(by_z1)[0]


class Reversible(keras.layers.Layer):
    """Two streams through two residues, several times; nothing is kept but the last outputs."""

    def __init__(self, reversible, depth=2):
        super().__init__()
        keras.utils.set_random_seed(5)
        self.reversible = reversible
        self.residues = [Residue() for _ in range(2 * depth)]
        self.built = True
        randomness.name_layers(self)

    def call(self, x1, x2, training=None):
        for f, g in zip(self.residues[::2], self.residues[1::2], strict=True):
            if self.reversible:
                pieces = [Piece(one, lambda x, one=one: one(x, training=training)) for one in (f, g)]
                (x1, x2), losses = with_gradient(forward, backward, pieces, (x1, x2), keeps="outputs")
                self.add_loss(losses)
            else:
                x1 = x1 + f(x2, training=training)
                x2 = x2 + g(x1, training=training)
        return ops.concatenate([x1, 2.0 * x2], axis=-1)


def step(layer, compiled):
    """The loss, its gradients by weights and inputs, and the averages afterwards."""
    averages = [one for residue in layer.residues for one in (residue.norm.moving_mean, residue.norm.moving_variance)]
    if ON_JAX:
        import jax

        fixed = [variable.value for variable in layer.non_trainable_variables]

        def loss(values, x1, x2, number):
            with randomness.root(3, number):
                output, after, losses = layer.stateless_call(values, fixed, x1, x2, training=True, return_losses=True)
            return ops.sum(output**3) + sum(losses), after

        run = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)
        values = [variable.value for variable in layer.trainable_variables]
        (found, after), (weights, *rest) = (jax.jit(run) if compiled else run)(values, X1, X2, 7)
        for variable, value in zip(layer.non_trainable_variables, after, strict=True):
            variable.assign(value)
        return found, [*weights, *rest], [number(one) for one in averages]
    import tensorflow as tf

    x1, x2 = tf.constant(X1), tf.constant(X2)

    def run(step):
        with randomness.root(3, step), tf.GradientTape() as tape:
            tape.watch([x1, x2])
            loss = ops.sum(layer(x1, x2, training=True) ** 3) + sum(layer.losses)
        return loss, tape.gradient(loss, [*layer.trainable_variables, x1, x2])

    found, gradients = (tf.function(run, autograph=False) if compiled else run)(tf.constant(7))
    return found, gradients, [number(one) for one in averages]


@pytest.mark.parametrize("compiled", [True] if ON_JAX else [False, True], ids=lambda one: "graph" if one else "eager")
def test_a_reversible_block_has_the_gradients_of_plain_differentiation(compiled):
    found, wanted = (step(Reversible(reversible), compiled) for reversible in (True, False))
    assert float(found[0]) == pytest.approx(float(wanted[0]), rel=1e-5)
    assert len(found[1]) == 4 * 4 + 2
    for one, other in zip(found[1], wanted[1], strict=True):
        assert np.abs(number(other)).max() > 0
        np.testing.assert_allclose(number(one), number(other), rtol=2e-3, atol=2e-4 * np.abs(number(other)).max())
    for one, other in zip(found[2], wanted[2], strict=True):  # the averages moved once
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
        assert not np.isin(one, [0.0, 1.0]).any()


@pytest.mark.skipif(ON_JAX, reason="TensorFlow's tape")
@pytest.mark.parametrize("keeps", ["inputs", "outputs"])
def test_the_backward_direction_gets_what_is_kept(keeps):
    import tensorflow as tf

    residues, held = Reversible(True).residues[:2], []

    def watched(f, g, kept, gradients):
        held.extend(number(one) for one in kept)
        return gradients

    x1, x2 = tf.constant(X1), tf.constant(X2)
    with randomness.root(3, 7), tf.GradientTape() as tape:
        tape.watch([x1, x2])
        outputs, losses = with_gradient(forward, watched, [Piece(one) for one in residues], (x1, x2), keeps=keeps)
        loss = ops.sum(outputs[0]) + 3.0 * ops.sum(outputs[1])
    by_x1, by_x2 = tape.gradient(loss, [x1, x2])
    assert len(losses) == 2 and (number(by_x1) == 1).all() and (number(by_x2) == 3).all()  # those of `watched`
    for one, other in zip(held, (x1, x2) if keeps == "inputs" else outputs, strict=True):
        np.testing.assert_array_equal(one, number(other))


def test_a_layer_must_be_built():
    with pytest.raises(ValueError, match="must be built"):
        with_gradient(forward, backward, [Piece(keras.layers.Dense(2))], (X1, X2), keeps="inputs")
