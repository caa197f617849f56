"""A stack of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import (
    Attention,
    FeedForward,
    L2Norm,
    LayerNorm,
    LearnedPositions,
    TransformerBlock,
    TransformerStack,
    stack_of,
)
from kt2t.ops.positions import sinusoids
from kt2t.registry import fresh
from kt2t.training import Constant

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")


def stack(norm="pre", dropout=0.0, positions=None, **options):
    attention, feed_forward = Attention(2, dropout=dropout, **options), FeedForward(12, **options)
    block = TransformerBlock(attention, feed_forward, norm=norm, dropout=dropout, **options)
    return TransformerStack(block, 2, positions, dropout, norm == "pre", **options)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    check_layer(lambda **o: stack(dropout=dropout, **o), X, shape=(2, 5, 8), has_dropout=dropout > 0)


def test_with_learned_positions_it_is_a_layer_like_any():
    check_layer(lambda **o: stack("post", positions=LearnedPositions(5, **o), **o), X, shape=(2, 5, 8))


def test_what_it_does_in_order():
    layer = stack()
    positions = np.array([[0, 1, 2, 0, 1]] * 2, "int32")
    mask = np.tril(np.ones((1, 5, 5), bool))
    x = X + numbers(sinusoids(positions, 8))
    for block in layer.layers:
        x = numbers(block(x, mask=mask))
    np.testing.assert_allclose(numbers(layer(X, positions=positions, mask=mask)), numbers(layer.norm(x)), atol=1e-5)


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


def test_refusals():
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
