"""Local attention, against the formula pair by pair."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_packed, check_steps, sequence
from harness import check_layer

from kt2t.layers import LocalAttention


def sees(block, margin, causal):
    def pair(i, j):
        start = i // block * block
        return start - margin <= j < start + block + margin and (j <= i or not causal)

    return pair


def test_it_is_a_layer_like_any():
    weights = {f"{name}.kernel": (8, 8) for name in ("query", "key", "value", "output_projection")}
    check_layer(
        lambda **o: LocalAttention(2, 3, dropout=0.5, **o),
        sequence(7),
        shape=(2, 7, 8),
        weights=weights,
        has_dropout=True,
    )


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("block", "margin"), [(3, None), (3, 0), (2, 5), (50, None)])
def test_it_is_the_formula(causal, block, margin):
    layer, x = LocalAttention(2, block, margin, key_dim=4, value_dim=6), sequence(8)
    wanted = by_pairs(layer, x, sees(block, block if margin is None else margin, causal))
    np.testing.assert_allclose(attended(layer, x, causal), wanted, atol=1e-5)
    check_packed(layer, (5, 2, 7), causal)


@pytest.mark.parametrize("margin", [None, 1])
def test_one_position_after_another_is_all_at_once(margin):
    entries = check_steps(LocalAttention(2, 3, margin, value_dim=4), sequence(11))
    rows = 3 + (3 if margin is None else margin)
    assert entries["state/it.keys"].shape == (2, 3, 2, rows, 4)


def test_it_makes_nothing_of_time_by_time():
    """At 4,096 positions and windows of 24 no tensor of the traced computation holds time × time numbers."""
    time = 4096
    layer = LocalAttention(2, 8)
    layer.build((1, time, 8))
    sizes = sizes_of(lambda x, segments: layer(x, mask=segments), (1, time, 8), (1, time))
    assert max(sizes) < time * time // 8


def sizes_of(function, *shapes):
    """The sizes of all tensors in a traced computation: of its forward pass and of its gradient."""
    if keras.backend.backend() == "jax":
        import jax

        def total(x, mask):
            return function(x, mask).sum()

        traced = jax.make_jaxpr(jax.grad(total))(np.zeros(shapes[0], "float32"), np.ones(shapes[1], bool))
        return [np.prod(v.aval.shape) for equation in traced.eqns for v in equation.outvars]
    import tensorflow as tf

    @tf.function
    def total(x, mask):
        return tf.gradients(tf.reduce_sum(function(x, mask)), x)

    graph = total.get_concrete_function(tf.TensorSpec(shapes[0]), tf.TensorSpec(shapes[1], tf.bool)).graph
    shapes = [output.shape for operation in graph.get_operations() for output in operation.outputs]
    return [np.prod([size or 1 for size in shape.as_list()]) for shape in shapes if shape.rank]


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="block_length: 0 is not positive"):
        LocalAttention(2, 0)
    with pytest.raises(ValueError, match="margin: -1 is negative"):
        LocalAttention(2, 4, -1)
    with pytest.raises(ValueError, match="num_heads: 3 heads do not divide key_dim 8"):
        LocalAttention(3, 2, key_dim=8)
