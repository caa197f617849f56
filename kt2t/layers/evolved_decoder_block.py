"""A cell of the Evolved Transformer's decoder."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.layers.attention import Attention, check_heads
from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.evolved_decoder_convolutions import EvolvedDecoderConvolutions
from kt2t.layers.layer_norm import LayerNorm
from kt2t.layers.normed_feed_forward import NormedFeedForward
from kt2t.layers.residual import Residual
from kt2t.ops.keras_masks import implicit_mask
from kt2t.registry import register

Tensor = Any
MOST_HEADS = 16


@register
class EvolvedDecoderBlock(keras.layers.Layer):
    """One cell of the Evolved Transformer's decoder.

    In order, each with a norm before it and a residual connection around it:

    1. two attentions side by side, to the sequence itself, with more heads than elsewhere, and to the memory;
    2. separable convolutions;
    3. self attention;
    4. attention to the memory;
    5. a feed-forward network with a swish activation and a norm inside.

    A `TransformerStack` takes it as `block`.

    Shapes:
        x (batch, time, hidden_dim), memory (batch, source, any dim), mask as a `SegmentMask`, memory_mask (batch or 1,
        time or 1, source) or None → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x. The feed-forward network is four times as wide inside.
        num_heads: Number of heads; the first self attention has twice as many, but no more than 16 unless `num_heads` is.
        dropout: Probability of zeroing an element of a sublayer's output or of a branch, in training only.
        attention_dropout: The same for an attention weight; `dropout` unless given.
        activation_dropout: The same for an inner unit of the feed-forward network; `dropout` unless given.

    Raises:
        ValueError: `hidden_dim` is odd, or a number of heads does not divide it.

    Source: So et al. 2019 (The Evolved Transformer), figure 3; the number of heads as in Tensor2Tensor.
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
        many = max(num_heads, min(2 * num_heads, MOST_HEADS))
        for heads in (num_heads, many):
            check_heads(heads, "hidden_dim", hidden_dim)
        dtype = self.dtype_policy.name
        weights = dropout if attention_dropout is None else attention_dropout
        units = dropout if activation_dropout is None else activation_dropout

        def attention(heads: int) -> Attention:
            return Attention(heads, hidden_dim, output_dim=hidden_dim, dropout=weights, dtype=dtype)

        def around(sublayer: Any) -> Residual:
            return Residual(sublayer, dropout=dropout, dtype=dtype)

        self.first_norm = LayerNorm(dtype=dtype)
        self.first_attention = attention(many)
        self.first_cross_attention = attention(num_heads)
        self.dropout = Dropout(dropout, dtype=dtype)
        self.convolutions = around(EvolvedDecoderConvolutions(hidden_dim, dropout, dtype=dtype))
        self.attention = around(attention(num_heads))
        self.cross_attention = around(attention(num_heads))
        self.feed_forward = around(NormedFeedForward(4 * hidden_dim, "silu", units, dtype=dtype))

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""

    def call(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Any = None,
        memory_mask: Tensor | None = None,
        cache: Cache | None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        def below(name: str) -> Cache | None:
            return cache and cache.child(name)

        normed = self.first_norm(x)
        both = (
            self.first_attention(normed, mask=mask, cache=below("first_attention")),
            self.first_cross_attention(normed, memory=memory, mask=memory_mask, cache=below("first_cross_attention")),
        )
        x = x + sum(self.dropout(y, training=training) for y in both)
        row = {"mask": mask} if cache is None else {"cache": below("convolutions")}
        x = self.convolutions(x, training=training, **row)
        x = self.attention(x, mask=mask, cache=below("attention"), training=training)
        x = self.cross_attention(x, memory=memory, mask=memory_mask, cache=below("cross_attention"), training=training)
        return self.feed_forward(x, training=training, **({} if real is None else {"real": real}))

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Tensor | None:
        """Returns the implicit mask of x; the argument `mask` of `call` may be any attention mask."""
        return implicit_mask(x)

    def start(self, memory: Tensor | None, cache: Cache) -> None:
        """Prepares the cache: reserves space for keys, values and windows, and stores the keys and values of the memory."""
        self.first_attention.reserve(cache.child("first_attention"))
        self.first_cross_attention.remember(memory, cache.child("first_cross_attention"))
        self.convolutions.sublayer.start(cache.child("convolutions"))
        self.attention.sublayer.reserve(cache.child("attention"))
        self.cross_attention.sublayer.remember(memory, cache.child("cross_attention"))
