"""A cell of the Evolved Transformer's encoder. `golden/` has the formula's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import EvolvedEncoderBlock, TransformerStack
from kt2t.ops.masks import SegmentMask

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **o: EvolvedEncoderBlock(8, 2, **o), X, shape=X.shape, bfloat16=False)


def test_what_it_does_in_order():
    layer = EvolvedEncoderBlock(8, 2)
    segments = np.array([[1, 1, 2, 2, 2], [1, 1, 1, 0, 0]], "int32")
    x, mask = X, SegmentMask(segments)
    found = numbers(layer(X, mask=mask))
    for part, options in ((layer.gates, {}), (layer.convolutions, {"mask": mask}), (layer.attention, {"mask": mask})):
        x = x + numbers(forward(part.sublayer)(numbers(part.norm(x)), **options))
    x = x + numbers(forward(layer.feed_forward.sublayer)(numbers(layer.feed_forward.norm(x))))
    np.testing.assert_allclose(found[segments > 0], x[segments > 0], atol=1e-4)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="num_heads: 3 heads do not divide hidden_dim 8"):
        TransformerStack(EvolvedEncoderBlock(8, 3), 1)
