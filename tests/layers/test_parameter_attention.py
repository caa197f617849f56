"""Attention to learned vectors, against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import ParameterAttention

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
WEIGHTS = {
    "keys": (2, 7, 3),
    "output_projection.kernel": (8, 4),
    "query.kernel": (4, 6),
    "values": (2, 7, 4),
}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_a_layer_like_any(dropout):
    make = lambda **options: ParameterAttention(7, 2, 6, 8, dropout, **options)  # noqa: E731
    check_layer(make, X, shape=X.shape, weights=WEIGHTS, has_dropout=dropout > 0)


def test_it_is_the_formula():
    layer = ParameterAttention(7, 2, 6, 8)
    layer.build(X.shape)
    random = np.random.default_rng(1)
    keys, out, query, values = (random.normal(size=shape).astype("float32") for shape in WEIGHTS.values())
    layer.keys.assign(keys)
    layer.values.assign(values)
    layer.query.kernel.assign(query)
    layer.output_projection.kernel.assign(out)
    heads = []
    for head in range(2):
        logits = (X @ query)[..., 3 * head : 3 * head + 3] @ keys[head].T
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        heads.append(weights / weights.sum(-1, keepdims=True) @ values[head])
    np.testing.assert_allclose(numbers(forward(layer)(X)), np.concatenate(heads, -1) @ out, rtol=1e-4, atol=1e-5)


def test_what_is_not_real_gets_nothing():
    layer, real = ParameterAttention(7), np.array([[True, False, True], [False, False, True]])
    np.testing.assert_allclose(numbers(forward(layer)(X, real=real)), numbers(forward(layer)(X)) * real[..., None], atol=1e-6)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="intermediate_dim: 0"):
        ParameterAttention(0)
    with pytest.raises(ValueError, match="num_heads: 3 heads do not divide key_dim 4"):
        ParameterAttention(4, 3, key_dim=4)
