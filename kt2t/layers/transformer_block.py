"""One level of a Transformer, in encoder and decoder alike."""

from __future__ import annotations

from typing import Any, Literal

import keras

from kt2t.layers.cache import Cache
from kt2t.layers.residual import Residual
from kt2t.ops.keras_masks import implicit_mask
from kt2t.registry import build, describe, register

Tensor = Any


@register
class TransformerBlock(keras.layers.Layer):
    """One Transformer block: self attention, optional cross-attention and a feed-forward network, each with a residual.

    Shapes:
        x (batch, time, hidden_dim), memory (batch, source, any dim), mask (batch or 1, time or 1, time) or (batch, time),
        memory_mask (batch or 1, time or 1, source) or (batch, source), real (batch, time) boolean: the positions where the
        feed-forward network adds its output (default: all) → (batch, time, hidden_dim)

    Args:
        attention: Prototype of the self attention.
        feed_forward: Prototype of the feed-forward network, called with x, `training` and, if given, `real`; None for a
            block without one. A network
            whose class says `reads_segments = True` gets `mask` too, or `cache` in decoding; if it keeps a state there,
            it has `start(cache)`.
        cross_attention: Prototype of the attention to the memory; None for a block without a memory.
        norm: Position of each sublayer's norm: pre, before the sublayer; post, after the residual sum.
        dropout: Probability of zeroing an element of a sublayer's output, in training only.
        normalization: Prototype of the norms; `LayerNorm` unless given.

    Raises:
        ValueError: `norm` is neither pre nor post.

    Source: Vaswani et al. 2017, section 3.1.
    """

    def __init__(
        self,
        attention: Any,
        feed_forward: Any,
        cross_attention: Any = None,
        norm: Literal["pre", "post"] = "pre",
        dropout: float = 0.0,
        normalization: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        wiring = {"norm": norm, "dropout": dropout, "normalization": normalization, "dtype": self.dtype_policy.name}
        self.attention = self._around(attention, wiring)
        self.cross_attention = cross_attention and self._around(cross_attention, wiring)
        self.feed_forward = feed_forward and self._around(feed_forward, wiring)

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""

    def call(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: Cache | None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.attention(x, mask=mask, cache=cache and cache.child("attention"), training=training)
        if self.cross_attention is not None:
            below = cache and cache.child("cross_attention")
            x = self.cross_attention(x, memory=memory, mask=memory_mask, cache=below, training=training)
        if self.feed_forward is None:
            return x
        where = {} if real is None else {"real": real}
        return self.feed_forward(x, training=training, **where, **self._row(mask, cache))

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Tensor | None:
        """Returns the implicit mask of x; the argument `mask` of `call` may be any attention mask."""
        return implicit_mask(x)

    def start(self, memory: Tensor | None, cache: Cache) -> None:
        """Prepares the cache: reserves space for the keys and values of the block, and stores those of the memory."""
        self.attention.sublayer.reserve(cache.child("attention"))
        if self.cross_attention is not None:
            self.cross_attention.sublayer.remember(memory, cache.child("cross_attention"))
        if hasattr(getattr(self.feed_forward, "sublayer", None), "start"):
            self.feed_forward.sublayer.start(cache.child("feed_forward"))

    def _row(self, mask: Any, cache: Cache | None) -> dict[str, Any]:
        """Returns what a feed-forward network that `reads_segments` gets to know: the mask, or its part of the cache."""
        if not getattr(self.feed_forward.sublayer, "reads_segments", False):
            return {}
        return {"mask": mask} if cache is None else {"cache": cache.child("feed_forward")}

    def _around(self, prototype: Any, wiring: dict[str, Any]) -> Residual:
        return Residual(build(describe(prototype), dtype=self.dtype_policy.name), **wiring)
