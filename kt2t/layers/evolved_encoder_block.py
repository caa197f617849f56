"""A cell of the Evolved Transformer's encoder."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.layers.attention import Attention, check_heads
from kt2t.layers.evolved_encoder_convolutions import EvolvedEncoderConvolutions
from kt2t.layers.feed_forward import FeedForward
from kt2t.layers.gated_linear_unit import GatedLinearUnit
from kt2t.layers.residual import Residual
from kt2t.ops.keras_masks import implicit_mask
from kt2t.registry import register

Tensor = Any


@register
class EvolvedEncoderBlock(keras.layers.Layer):
    """One cell of the Evolved Transformer's encoder: gates, convolutions, self attention and a feed-forward network.

    Each of the four has a norm before it and a residual connection around it. A `TransformerStack` takes it as `block`.

    Shapes:
        x (batch, time, hidden_dim), mask as a `SegmentMask` or a padding mask (batch, time) or None, real (batch, time)
        boolean: the positions where the feed-forward network adds its output (default: all) → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x. The feed-forward network is four times as wide inside.
        num_heads: Number of heads of the attention.
        dropout: Probability of zeroing an element of a sublayer's output or of a branch, in training only.
        attention_dropout: The same for an attention weight; `dropout` unless given.
        activation_dropout: The same for an inner unit of the feed-forward network; `dropout` unless given.

    Raises:
        ValueError: `hidden_dim` is odd, or `num_heads` does not divide it.

    Source: So et al. 2019 (The Evolved Transformer), figure 3.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_heads(num_heads, "hidden_dim", hidden_dim)
        dtype = self.dtype_policy.name
        weights = dropout if attention_dropout is None else attention_dropout
        units = dropout if activation_dropout is None else activation_dropout
        self.gates = Residual(GatedLinearUnit(hidden_dim, dtype=dtype), dropout=dropout, dtype=dtype)
        convolutions = EvolvedEncoderConvolutions(hidden_dim, dropout, dtype=dtype)
        self.convolutions = Residual(convolutions, dropout=dropout, dtype=dtype)
        self.attention = Residual(Attention(num_heads, dropout=weights, dtype=dtype), dropout=dropout, dtype=dtype)
        self.cross_attention = None  # as `TransformerStack` asks of a block
        network = FeedForward(4 * hidden_dim, dropout=units, dtype=dtype)
        self.feed_forward = Residual(network, dropout=dropout, dtype=dtype)

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""

    def call(
        self,
        x: Tensor,
        memory: None = None,
        mask: Any = None,
        memory_mask: None = None,
        cache: None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.gates(x, training=training)
        x = self.convolutions(x, mask=mask, training=training)
        x = self.attention(x, mask=mask, training=training)
        return self.feed_forward(x, training=training, **({} if real is None else {"real": real}))

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Tensor | None:
        """Returns the implicit mask of x; the argument `mask` of `call` may be any attention mask."""
        return implicit_mask(x)
