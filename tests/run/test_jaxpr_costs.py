from __future__ import annotations

import jax
import pytest
from jax import numpy as jnp

from kt2t.run.jaxpr_costs import costs, flop


def array(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def test_a_matrix_product_forward_and_back():
    def loss(weights, x):
        first, second = weights
        return jnp.sum(jnp.square(jnp.tanh(x @ first) @ second))

    found, kept = costs(loss, [array(3, 5), array(5, 2)], (array(4, 3),))
    forward, backward = 4 * 3 * 5 + 4 * 5 * 2, 4 * 3 * 5 + 2 * 4 * 5 * 2  # none by x
    assert found == 2 * (forward + backward)
    assert kept >= 4 * (4 * 5 + 4 * 2)


def test_a_convolution():
    def convolved(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    traced = jax.make_jaxpr(convolved)(array(5, 8, 8, 2), array(3, 3, 2, 4))
    assert flop(traced.jaxpr) == 2 * (5 * 64 * 4) * 9 * 2


def test_a_loop_counts_as_often_as_it_runs_and_a_branch_once():
    def looped(w, x):
        return jax.lax.fori_loop(0, 7, lambda _, x: x @ w, x)

    once = 2 * 2 * 3 * 3
    assert flop(jax.make_jaxpr(looped)(array(3, 3), array(2, 3)).jaxpr) == pytest.approx(7 * once)
    forked = jax.make_jaxpr(lambda w, x: jax.lax.cond(x.sum() > 0, lambda: x @ w @ w, lambda: x @ w))
    assert flop(forked(array(3, 3), array(2, 3)).jaxpr) == 2 * once
    assert flop(jax.make_jaxpr(jax.jit(lambda w, x: x @ w))(array(3, 3), array(2, 3)).jaxpr) == once
