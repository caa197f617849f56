"""What is computed again on the way back is what would have been kept, against the same stack that keeps it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops

from kt2t.layers import Attention, FeedForward, Memory, TransformerBlock, TransformerStack
from kt2t.layers.cache import Cache
from kt2t.layers.recomputation import is_worthwhile, recomputed
from kt2t.ops import randomness
from kt2t.registry import register

ON_JAX = keras.backend.backend() == "jax"
X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
MEMORY = np.random.default_rng(1).normal(size=(2, 4, 8)).astype("float32")
SOURCE = np.ones((2, 4), "int32")
seen: list[tuple[str, str]] = []


@register
class Balanced(FeedForward):
    """Test layer: a feed-forward network with a loss of its own, which notes in what dtypes it computes."""

    def call(self, x, training=None):
        y = super().call(x, training=training)
        kernel = ops.convert_to_tensor(self.widen.kernel)
        seen.append(tuple(keras.backend.standardize_dtype(part.dtype) for part in (x, y)))
        self.add_loss(ops.mean(ops.square(ops.cast(y, "float32"))) + 0.1 * ops.sum(ops.cast(kernel, "float32") ** 2))
        return y


def stack(feed_forward=None, **options):
    keras.utils.set_random_seed(1)
    parts = (Attention(2, dropout=0.2), feed_forward or FeedForward(12, dropout=0.2), Attention(2, dropout=0.2))
    layer = TransformerStack(TransformerBlock(*parts, dropout=0.2), 2, dropout=0.2, causal=True, **options)
    layer(X, memory=Memory(MEMORY, SOURCE))
    randomness.name_layers(layer)
    return layer


def loss_and_gradients(layer, recompute, x=X, memory=MEMORY, step=7, own=1.0):
    """The loss, with `own` times the layers' own, and its gradients by the weights, x and memory."""
    layer.recompute = recompute
    if ON_JAX:
        return _on_jax(layer, x, memory, step, own)
    import tensorflow as tf

    x, memory = tf.convert_to_tensor(x), tf.convert_to_tensor(memory)
    with randomness.root(3, step), tf.GradientTape() as tape:
        tape.watch([x, memory])
        output = layer(x, memory=Memory(memory, SOURCE), training=True)
        loss = ops.sum(ops.cast(output, "float32") ** 3) + own * sum(layer.losses)
    return loss, tape.gradient(loss, [*layer.trainable_variables, x, memory])


def _on_jax(layer, x, memory, step, own):
    import jax

    fixed = [variable.value for variable in layer.non_trainable_variables]

    def loss(values, x, memory):
        with randomness.root(3, step):
            options = {"memory": Memory(memory, SOURCE), "training": True, "return_losses": True}
            output, _, losses = layer.stateless_call(values, fixed, x, **options)
        return ops.sum(ops.cast(output, "float32") ** 3) + own * sum(losses)

    values = [variable.value for variable in layer.trainable_variables]
    # Else XLA leaves out roundings to bfloat16 where it can, and in other places where it computes twice.
    exactly = {"xla_allow_excess_precision": False}
    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)), compiler_options=exactly)
    found, (weights, *rest) = run(values, x, memory)
    return found, [*weights, *rest]


def eager(function):
    return function


def compiled(function):
    if ON_JAX:
        return function  # `_on_jax` compiles
    import tensorflow as tf

    return tf.function(function, autograph=False)


WAYS = [compiled] if ON_JAX else [eager, compiled]


def check_same(found, wanted, tolerance=1e-6):
    np.testing.assert_allclose(numbers(found[0]), numbers(wanted[0]), rtol=tolerance)
    assert len(found[1]) == len(wanted[1]) and all(one is not None for one in found[1])
    for one, other in zip(found[1], wanted[1], strict=True):
        other = numbers(other)
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(numbers(one), other, rtol=tolerance, atol=tolerance * np.abs(other).max())


@pytest.mark.parametrize("wrap", WAYS)
def test_loss_and_gradients_are_those_of_what_is_kept(wrap):
    layer = stack()
    kept, again = (wrap(lambda r=r: loss_and_gradients(layer, r))() for r in (False, True))
    check_same(again, kept)
    other = loss_and_gradients(layer, True, step=9)
    assert abs(float(other[0]) - float(kept[0])) > 1e-3, "another step drops the same"


def test_under_mixed_bfloat16_both_passes_compute_in_the_same_dtypes():
    layer = stack(Balanced(12, dropout=0.2), dtype="mixed_bfloat16")
    seen.clear()
    kept = compiled(lambda: loss_and_gradients(layer, False))()
    assert len(seen) == 2
    again = compiled(lambda: loss_and_gradients(layer, True))()
    # The backward pass calls each layer once more.
    assert len(seen) == 6 and set(seen) == {("bfloat16", "bfloat16")}
    check_same(again, kept, tolerance=2e-2)


@pytest.mark.parametrize("wrap", WAYS)
def test_a_loss_of_a_layers_own_counts_once_and_has_its_gradient(wrap):
    layer = stack(Balanced(12, dropout=0.2))
    kept = wrap(lambda: loss_and_gradients(layer, False))()
    for _ in range(2):
        check_same(wrap(lambda: loss_and_gradients(layer, True))(), kept)
    without = loss_and_gradients(layer, False, own=0.0)
    assert float(kept[0]) > float(without[0]) + 0.1, "the loss of the layer's own is nothing"


def test_a_regularizer_counts_once():
    layer = stack()
    kernel = layer.layers[0].feed_forward.sublayer.widen.kernel
    kernel.regularizer = keras.regularizers.L2(0.5)
    check_same(loss_and_gradients(layer, True), loss_and_gradients(layer, False))


def test_what_is_handed_back_is_no_longer_the_layers():
    block = stack(Balanced(12)).layers[0]
    with randomness.root(1, 2):
        y, losses = recomputed(block, X, MEMORY, training=True)
        again = block(X, memory=MEMORY, training=True)
    assert y.shape == X.shape and again.shape == X.shape
    assert len(losses) == 1 and len(block.losses) == 1
    assert float(losses[0]) > 0


def test_when_it_is_worth_while():
    with randomness.root(1, 2):
        assert is_worthwhile(True, None)
        assert not is_worthwhile(False, None)
        assert not is_worthwhile(None, None)
        assert not is_worthwhile(True, Cache(1, 2))
    assert not is_worthwhile(True, None)


@pytest.mark.skipif(ON_JAX, reason="a loop of TensorFlow's")
def test_micro_batches_in_a_loop_of_the_graph():
    import tensorflow as tf

    layer = stack()
    xs, memories = np.stack([X, X[::-1], 2 * X]), np.stack([MEMORY, 2 * MEMORY, MEMORY[::-1]])

    def looped(recompute):
        def body(index, total, sums):
            loss, found = loss_and_gradients(layer, recompute, tf.gather(xs, index), tf.gather(memories, index), index)
            return index + 1, total + loss, [one + other for one, other in zip(sums, found, strict=True)]

        sums = [tf.zeros(one.shape) for one in (*layer.trainable_variables, X, MEMORY)]
        start = (tf.constant(0), tf.zeros(()), sums)
        return tf.while_loop(lambda index, *_: index < 3, body, start, parallel_iterations=1)[1:]

    each = [loss_and_gradients(layer, False, xs[index], memories[index], index) for index in range(3)]
    wanted = sum(one[0] for one in each), [sum(parts) for parts in zip(*[one[1] for one in each], strict=True)]
    check_same(compiled(lambda: looped(True))(), wanted)


@pytest.mark.skipif(ON_JAX, reason="a strategy of TensorFlow's")
def test_mirrored_replicas():
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        layer = stack()

    def summed(recompute):
        def replica():
            context = tf.distribute.get_replica_context()
            number = tf.cast(context.replica_id_in_sync_group, tf.float32)
            found = loss_and_gradients(layer, recompute, X * (1 + number), MEMORY)
            return tf.nest.map_structure(lambda one: context.all_reduce("sum", one), found)

        each = strategy.run(replica)
        return tf.nest.map_structure(lambda one: strategy.experimental_local_results(one)[1], each)

    one, two = (loss_and_gradients(layer, False, X * factor, MEMORY) for factor in (1, 2))
    wanted = one[0] + two[0], [first + second for first, second in zip(one[1], two[1], strict=True)]
    # The gradient by x is by each replica's own x, so its sum over replicas is the sum of these.
    check_same(compiled(lambda: summed(True))(), wanted)


@pytest.mark.skipif(ON_JAX, reason="a graph of TensorFlow's")
def test_the_optimized_graph_draws_each_mask_twice():
    import tensorflow as tf
    from tensorflow.python.eager import context

    def draws(recompute):
        layer = stack()
        layer.dropout.rate = 0.0  # outside of the blocks
        run = tf.function(lambda step: loss_and_gradients(layer, recompute, step=step), autograph=False)
        context.enable_run_metadata()
        try:
            run(tf.constant(7))  # a step that is no tensor would make every mask a constant
            graphs = context.export_run_metadata().function_graphs
        finally:
            context.disable_run_metadata()
        return sum(
            "StatelessRandomUniform" in node.op for graph in graphs for node in graph.post_optimization_graph.node
        )

    kept = draws(False)
    assert kept > 0
    assert draws(True) >= 2 * kept  # merged by the optimizer, they would be kept from the first pass on
