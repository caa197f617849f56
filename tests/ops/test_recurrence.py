"""The loop over time, with a step simple enough for a loop by hand."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, compiled, numbers
from keras import ops

from kt2t.ops.recurrence import begins, over_time, states_before

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 3)).astype("float32")
SEGMENTS = np.array([[1, 1, 0, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")
INITIAL = RANDOM.normal(size=(2, 6, 3)).astype("float32")


def by_hand(initial):
    states = np.zeros_like(X)
    for row, (xs, segments) in enumerate(zip(X, SEGMENTS, strict=True)):
        state, before = np.zeros(3), 0
        for time, (x, segment) in enumerate(zip(xs, segments, strict=True)):
            if segment:
                if segment != before:
                    state = np.zeros(3) if initial is None else initial[row, time]
                state, before = 0.5 * state + segment * x, segment
            states[row, time] = state
    return states


@pytest.mark.parametrize("initial", [None, INITIAL], ids=["zeros", "given"])
def test_it_starts_anew_at_every_example_and_stands_still_at_padding(initial):
    run = compiled(lambda x, s, i: over_time(lambda now, state, here: 0.5 * state + here * now, x, s, 3, i))
    np.testing.assert_allclose(numbers(run(X, SEGMENTS, initial)), by_hand(initial), atol=1e-6)


def test_begins_and_the_states_before():
    segments = np.array([[1, 1, 0, 2, 2, 0], [0, 1, 0, 1, 2, 3], [0] * 6], "int32")
    wanted = [[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 1], [0] * 6]
    assert numbers(begins(segments)).astype(int).tolist() == wanted
    states = np.arange(6, dtype="float32")[None, :, None]
    found = numbers(states_before(states, segments[:1], -np.ones((1, 6, 1), "float32")))
    assert found[0, :, 0].tolist() == [-1, 0, 1, -1, 3, 4]


@pytest.mark.skipif(ON_JAX, reason="there all is compiled by XLA")
def test_xla_compiles_the_gradient():
    """TensorFlow needs to know how long a loop is at most."""
    import tensorflow as tf

    def gradient(x, initial):
        with tf.GradientTape() as tape:
            tape.watch([x, initial])
            states = over_time(lambda now, state, _: ops.tanh(state) + now, x, SEGMENTS, 3, initial)
            total = tf.reduce_sum(states * states)
        return tape.gradient(total, [x, initial])

    given = [tf.constant(X), tf.constant(INITIAL)]
    for one, other in zip(gradient(*given), tf.function(gradient, jit_compile=True)(*given), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
