"""Attention with rotary positions, against complex numbers."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, check_packed, check_steps, sequence
from harness import check_layer, numbers

from kt2t.layers import RotaryAttention


def rotated(x, base):
    """Equation 34 of the paper, with complex numbers: x (time, depth)."""
    pairs = x[:, 0::2] + 1j * x[:, 1::2]
    rates = base ** (-2 * np.arange(pairs.shape[1]) / x.shape[1])
    return pairs * np.exp(1j * np.arange(len(x))[:, None] * rates)


def by_complex_numbers(layer, x, causal):
    kernel = {name: numbers(getattr(layer, name).kernel) for name in ("query", "key", "value", "output_projection")}
    out = []
    for row in x:
        heads = []
        for head in range(layer.num_heads):
            q = np.split(row @ kernel["query"], layer.num_heads, -1)[head]
            shared = head * layer.key_heads // layer.num_heads
            k, v = (np.split(row @ kernel[name], layer.key_heads, -1)[shared] for name in ("key", "value"))
            products = rotated(q, layer.max_wavelength) @ rotated(k, layer.max_wavelength).conj().T
            weights = np.exp(products.real / np.sqrt(q.shape[-1]))
            weights = np.tril(weights) if causal else weights
            heads.append(weights / weights.sum(-1, keepdims=True) @ v)
        out.append(np.concatenate(heads, -1) @ kernel["output_projection"])
    return np.stack(out)


def test_it_is_a_layer_like_any():
    weights = {f"{name}.kernel": (8, 8) for name in ("query", "key", "value", "output_projection")}
    check_layer(lambda **o: RotaryAttention(2, **o), sequence(5), shape=(2, 5, 8), weights=weights)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("heads", "key_heads", "base"), [(2, None, 1e4), (2, 1, 50.0)])
def test_it_is_the_formula(causal, heads, key_heads, base):
    layer, x = RotaryAttention(heads, key_heads, base), sequence(6)
    found = attended(layer, x, causal)
    np.testing.assert_allclose(found, by_complex_numbers(layer, x, causal), atol=1e-5)


def test_packed_rows_and_steps():
    check_packed(RotaryAttention(2), (4, 1, 5), causal=False)
    check_steps(RotaryAttention(4, 2), sequence(7))


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="max_wavelength: 1 is not above 1"):
        RotaryAttention(2, max_wavelength=1)
    with pytest.raises(ValueError, match="key_dim: 6 gives heads of odd width 3"):
        RotaryAttention(2)(sequence(3, dim=6))
    with pytest.raises(ValueError, match="RotaryAttention is self attention, and cannot read a memory"):
        RotaryAttention(2)(sequence(3), memory=sequence(3))
