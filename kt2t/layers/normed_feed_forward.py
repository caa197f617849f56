"""A feed-forward network with a norm of its inner units."""

from __future__ import annotations

from typing import Any

from kt2t.layers.feed_forward import FeedForward
from kt2t.layers.residual import norm_like
from kt2t.registry import register

Tensor = Any


@register
class NormedFeedForward(FeedForward):
    """Position-wise feed-forward network whose inner units are normalised before they are narrowed.

        y = W2 · norm(dropout(f(W1 · x + b1))) + b2

    Shapes:
        x (batch, time, hidden_dim), real (batch, time) boolean or None → (batch, time, hidden_dim), 0 where not real

    Args:
        intermediate_dim: Width between the two projections.
        activation: Name of a Keras activation.
        dropout: Probability of zeroing an inner unit, in training only.
        normalization: Prototype of the norm; `LayerNorm` unless given.

    Raises:
        ValueError: `intermediate_dim` is not positive, or Keras has no such activation.

    Source: So et al. 2019, figure 3, the last layer of a decoder cell.
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: str = "relu",
        dropout: float = 0.0,
        normalization: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(intermediate_dim, activation, dropout, **kwargs)
        self.norm = norm_like(normalization, self.dtype_policy.name)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.norm.build((*input_shape[:-1], self.intermediate_dim))

    def inner(self, x: Tensor, training: bool | None = None) -> Tensor:
        return self.norm(super().inner(x, training=training))
