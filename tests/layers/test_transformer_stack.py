"""A stack of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import (
    AreaAttention,
    Attention,
    Cache,
    FeedForward,
    L2Norm,
    LayerNorm,
    LearnedPositions,
    LocalAttention,
    Memory,
    MemoryCompressedAttention,
    TransformerBlock,
    TransformerStack,
    stack_of,
)
from kt2t.ops.positions import sinusoids
from kt2t.registry import fresh
from kt2t.training import Constant

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")


def stack(norm="pre", dropout=0.0, positions=None, dtype=None, **options):
    attention, feed_forward = Attention(2, dropout=dropout, dtype=dtype), FeedForward(12, dtype=dtype)
    block = TransformerBlock(attention, feed_forward, norm=norm, dropout=dropout, dtype=dtype)
    return TransformerStack(block, 2, positions, dropout, norm == "pre", dtype=dtype, **options)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    check_layer(lambda **o: stack(dropout=dropout, **o), X, shape=(2, 5, 8), has_dropout=dropout > 0)


def test_with_learned_positions_it_is_a_layer_like_any():
    check_layer(lambda **o: stack("post", positions=LearnedPositions(5, **o), **o), X, shape=(2, 5, 8))


SEGMENTS = np.array([[1, 1, 1, 2, 2], [1, 1, 1, 0, 0]], "int32")
PLACES = np.array([[0, 1, 2, 0, 1], [0, 1, 2, 0, 1]], "int32")
SAME = (SEGMENTS[:, :, None] == SEGMENTS[:, None]) & (SEGMENTS[:, None] > 0)


def by_hand(layer, x, places, mask, **options):
    x = x + numbers(sinusoids(places, 8))
    for block in layer.layers:
        x = numbers(block(x, mask=mask, **options))
    return numbers(layer.norm(x))


@pytest.mark.parametrize("causal", [False, True])
def test_masks_and_positions_come_from_segments(causal):
    layer = stack(causal=causal)
    mask = SAME & np.tril(np.ones((5, 5), bool)) if causal else SAME
    np.testing.assert_allclose(numbers(forward(layer)(X, SEGMENTS)), by_hand(layer, X, PLACES, mask), atol=1e-5)


def test_without_segments_a_row_is_one_example():
    layer = stack()
    np.testing.assert_allclose(numbers(forward(layer)(X)), numbers(forward(layer)(X, np.ones((2, 5), "int32"))), atol=1e-6)


def test_positions_from_the_end():
    layer = stack(count_from="end")
    places = np.array([[2, 1, 0, 1, 0], [2, 1, 0, 1, 0]])
    np.testing.assert_allclose(numbers(forward(layer)(X, SEGMENTS)), by_hand(layer, X, places, SAME), atol=1e-5)


def test_a_memory_is_attended_to_within_the_segment():
    layer = stack_of(2, 8, 12, 2, reads_memory=True, causal=True)
    states, segments = np.random.default_rng(1).normal(size=(2, 4, 8)).astype("float32"), [[1, 2, 2, 2], [1, 1, 0, 0]]
    found = numbers(forward(layer)(X, SEGMENTS, memory=Memory(states, np.array(segments, "int32"))))
    mask = SAME & np.tril(np.ones((5, 5), bool))
    across = (SEGMENTS[:, :, None] == np.array(segments)[:, None]) & (np.array(segments)[:, None] > 0)
    wanted = by_hand(layer, X, PLACES, mask, memory=states, memory_mask=across)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("front", ["causal", "full"])
def test_a_memory_in_front_is_the_beginning_of_the_sequence(front):
    layer = stack(causal=True, front=front)
    states = np.random.default_rng(1).normal(size=(1, 4, 8)).astype("float32")
    memory = Memory(states, np.array([[1, 1, 1, 0]], "int32"))
    found = numbers(forward(layer)(X[:1, :3], np.array([[1, 1, 1]], "int32"), memory=memory))
    whole = np.concatenate([states[:, :3], X[:1, :3]], axis=1)  # the same without the padding in front
    mask = np.tril(np.ones((1, 6, 6), bool))
    mask[:, :3, :3] |= front == "full"
    np.testing.assert_allclose(found, by_hand(layer, whole, np.arange(6)[None], mask)[:, 3:], atol=1e-5)


def test_padding_with_states_of_its_own():
    layer = stack(include_padding=True)
    segments = SEGMENTS[1:]
    found = numbers(forward(layer)(X[1:], segments))
    wanted = by_hand(layer, X[1:], np.arange(5)[None], segments[:, None] > 0, real=segments > 0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_one_position_after_another_is_all_at_once():
    layer = stack_of(2, 8, 12, 2, reads_memory=True, causal=True)
    memory = Memory(X[:, :3] * 2, np.array([[1, 1, 1], [1, 1, 0]], "int32"))
    whole = numbers(forward(layer)(X, np.ones((2, 5), "int32"), memory=memory))
    cache = Cache(batch=2, length=5)
    layer.start(memory, cache.child("it"))
    for position in range(5):
        cache = cache.at(position, cache.flat())
        step = layer(X[:, position : position + 1], cache=cache.child("it"))
        np.testing.assert_allclose(numbers(step)[:, 0], whole[:, position], atol=1e-5)


def test_post_norm_has_no_final_norm():
    assert stack("post").norm is None
    assert stack("pre").norm is not None


def test_a_stack_from_sizes():
    layer = stack_of(3, 8, 12, 2, dropout=0.3, attention_dropout=0.1, reads_memory=True)
    block = layer.layers[-1]
    assert len(layer.layers) == 3
    assert (block.attention.dropout.rate, block.attention.sublayer.dropout.rate) == (0.3, 0.1)
    assert block.feed_forward.sublayer.dropout.rate == 0.3
    assert block.cross_attention is not None
    assert stack_of(1, 8, 12, 2, attention=Attention(4)).layers[0].attention.sublayer.num_heads == 4


def test_blocks_take_the_kinds_of_attention_in_turn():
    kinds = [LocalAttention(2, 2), MemoryCompressedAttention(2, 2)]
    layer = stack_of(3, 8, 12, 2, attention=kinds, causal=True)
    sublayers = [type(block.attention.sublayer) for block in layer.layers]
    assert sublayers == [LocalAttention, MemoryCompressedAttention, LocalAttention]
    check_layer(lambda **o: stack_of(2, 8, 12, 2, attention=kinds, causal=True, **o), X, shape=(2, 5, 8))
    with pytest.raises(ValueError, match="attention: Constant is no layer"):
        stack_of(2, 8, 12, 2, attention=[kinds[0], Constant(0.1)])


@pytest.mark.parametrize("kind", [AreaAttention(2, 2, 2, height=3), FeedForward(8)])
def test_an_attention_that_cannot_decode_is_refused_in_a_decoder(kind):
    name = type(kind).__name__
    with pytest.raises(ValueError, match=f"attention: {name} as given cannot decode position by position"):
        stack_of(2, 8, 12, 2, attention=[Attention(2), kind], causal=True)
    assert len(stack_of(2, 8, 12, 2, attention=kind).layers) == 2


def test_refusals():
    with pytest.raises(ValueError, match="count_from: 'middle' is unknown. There are: start, end"):
        stack(count_from="middle")
    with pytest.raises(ValueError, match="front: 'both' is unknown. There are: causal, full"):
        stack(front="both")
    with pytest.raises(ValueError, match="num_layers: 0 is not positive"):
        stack_of(0, 8, 12, 2)
    with pytest.raises(ValueError, match="num_heads: 6 heads do not divide hidden_dim 512. Choose 1, 2, 4, 8,"):
        stack_of(6, 512, 2048, 6)
    with pytest.raises(
        ValueError, match="^attention.num_heads: 3 heads do not divide hidden_dim 8. Choose 1, 2, 4 or 8"
    ):
        stack_of(1, 8, 12, 2, attention=Attention(3))
    with pytest.raises(ValueError, match="^attention.output_dim: 6 is not hidden_dim 8"):
        stack_of(1, 8, 12, 2, attention=Attention(2, output_dim=6))


def test_prototypes_have_the_policy_of_the_stack_unless_they_name_their_own():
    layer = stack_of(1, 8, 12, 2, attention=Attention(2), positions=LearnedPositions(5), dtype="mixed_bfloat16")
    parts = [part for part in layer._flatten_layers() if part is not layer]
    assert len(parts) > 8 and {part.dtype_policy.name for part in parts} == {"mixed_bfloat16"}
    own = stack_of(1, 8, 12, 2, attention=Attention(2, dtype="float32"), dtype="mixed_bfloat16")
    assert own.layers[0].attention.sublayer.compute_dtype == "float32"
    assert fresh(layer).layers[0].attention.compute_dtype == "bfloat16"


def test_every_norm_is_like_the_prototype():
    layer = stack_of(2, 8, 12, 2, normalization=L2Norm(epsilon=1e-3))
    layer(X)
    norms = [part for part in layer._flatten_layers() if isinstance(part, LayerNorm | L2Norm)]
    assert [(type(norm), norm.epsilon) for norm in norms] == [(L2Norm, 1e-3)] * 5


@pytest.mark.parametrize("option", ["dropout", "attention_dropout", "activation_dropout"])
def test_a_dropout_that_is_no_probability_is_named_as_it_was_given(option):
    with pytest.raises(ValueError, match=rf"^{option}: 1\.5 is not a probability"):
        stack_of(1, 8, 8, 2, **{option: 1.5})


@pytest.mark.parametrize("option", ["attention", "feed_forward", "positions", "normalization"])
def test_a_part_that_is_no_layer(option):
    with pytest.raises(ValueError, match=f"{option}: Constant is no layer. `kt2t list layers`"):
        stack_of(1, 8, 8, 2, **{option: Constant(0.1)})
