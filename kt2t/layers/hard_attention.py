"""Attention to the best keys alone."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.attention import Attention
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class HardAttention(Attention):
    """Attention in which each query keeps only the keys whose weight exceeds its k-th largest weight.

        u_j = max(w_j - w_(k), 0),   w'_j = u_j / Σ_j u_j,   w = softmax(q · kᵀ / √d_h)

    So k - 1 keys remain, with equal weights counted once. A query that sees fewer than k keys keeps its weights. The
    gradient does not pass through w_(k).

    Shapes:
        x (batch, query, dim), memory (batch, key, any dim), mask (batch or 1, query or 1, key) → (batch, query, output_dim)

    Args:
        num_heads: Number of attention heads.
        k: Rank of the largest weight that is removed; at least 2.
        common: The further options of `Attention`.

    Raises:
        ValueError: `num_heads` does not divide a width, or `k` is below 2.

    Source: Tensor2Tensor's hard_attention_k.
    """

    def __init__(self, num_heads: int, k: int, **common: Any) -> None:
        super().__init__(num_heads, **common)
        if positive("k", k) < 2:
            raise ValueError(f"k: {k} would remove every key. Choose 2, which keeps the best one, or more.")
        self.k = k

    def _normalized(self, logits: Tensor) -> Tensor:
        weights = super()._normalized(logits)
        left = ops.stop_gradient(weights)
        for _ in range(self.k - 1):
            left = ops.where(left < ops.max(left, axis=-1, keepdims=True), left, 0.0)
        kept = ops.relu(weights - ops.max(left, axis=-1, keepdims=True))
        return kept / ops.maximum(ops.sum(kept, axis=-1, keepdims=True), 1e-6)
