"""Blocks on top of one another, with what comes before the first and behind the last."""

from __future__ import annotations

from typing import Any, Literal

import keras

from kt2t.layers.attention import Attention, check_heads
from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.feed_forward import FeedForward
from kt2t.layers.recomputation import is_worthwhile, recomputed
from kt2t.layers.residual import norm_like
from kt2t.layers.sinusoidal_positions import SinusoidalPositions
from kt2t.layers.transformer_block import TransformerBlock
from kt2t.options import below_one, positive
from kt2t.registry import build, describe, register

Tensor = Any


@register
class TransformerStack(keras.layers.Layer):
    """Positions, dropout, equal blocks, and after pre-norm blocks one more norm.

    Shapes:
        x (batch, time, hidden_dim), positions (batch or 1, time) int32, and what the blocks read
        → (batch, time, hidden_dim)

    Args:
        block: Prototype of a block; every level is a new one like it.
        num_layers: How many blocks.
        positions: Prototype of the layer that tells positions; sinusoids unless given.
        dropout: Probability of zeroing an element of what enters the first block, in training only.
        final_norm: Whether a norm follows the last block.
        recompute: Whether training computes what is inside each block again on the way back instead of keeping it: less
            memory, one more pass forward. It needs an open root of `kt2t.ops.randomness`, as every trainer's step has.
        normalization: Prototype of the final norm; `LayerNorm` unless given.

    Raises:
        ValueError: `num_layers` is not positive.

    Source: Vaswani et al. 2017, section 3.1; the final norm is Tensor2Tensor's.
    """

    def __init__(
        self,
        block: Any,
        num_layers: int,
        positions: Any = None,
        dropout: float = 0.0,
        final_norm: bool = True,
        recompute: bool = False,
        normalization: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy.name
        positions = SinusoidalPositions() if positions is None else positions
        self.positions = build(describe(positions), dtype=dtype)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.layers = [build(describe(block), dtype=dtype) for _ in range(positive("num_layers", num_layers))]
        self.norm = norm_like(normalization, dtype) if final_norm else None
        self.recompute = recompute

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        """The parts build themselves in the first call."""

    def call(
        self,
        x: Tensor,
        positions: Tensor | None = None,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: Cache | None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.dropout(self.positions(x, positions), training=training)
        options = {"mask": mask, "memory_mask": memory_mask, "real": real, "training": training}
        if self.recompute and is_worthwhile(training, cache):
            for block in self.layers:
                x, losses = recomputed(block, x, memory, **options)
                self.add_loss(losses)
        else:
            for level, block in enumerate(self.layers):
                x = block(x, memory=memory, cache=cache and cache.child(level), **options)
        return x if self.norm is None else self.norm(x)

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> None:
        """None: masks are arguments here, and nothing is attached to tensors."""
        return None

    def start(self, memory: Tensor | None, cache: Cache) -> None:
        """Prepares the cache for every block."""
        for level, block in enumerate(self.layers):
            block.start(memory, cache.child(level))


def stack_of(
    num_layers: int,
    hidden_dim: int,
    intermediate_dim: int,
    num_heads: int,
    dropout: float = 0.0,
    attention_dropout: float | None = None,
    activation_dropout: float | None = None,
    norm: Literal["pre", "post"] = "pre",
    key_dim: int | None = None,
    value_dim: int | None = None,
    positions: Any = None,
    attention: Any = None,
    feed_forward: Any = None,
    reads_memory: bool = False,
    recompute: bool = False,
    normalization: Any = None,
    dtype: str | None = None,
) -> TransformerStack:
    """A stack from sizes; `attention` and `feed_forward` replace the plain layers. For the options see `Transformer`.

    `dtype` names the policy of every layer whose prototype does not name its own; keras's default without it.

    Raises:
        ValueError: Heads that do not divide a width, a size that is not positive, a dropout that is no probability, or a part
            that is no layer.
    """
    if key_dim is None:
        check_heads(num_heads, "hidden_dim", hidden_dim)
    _check_layers(attention=attention, feed_forward=feed_forward, positions=positions, normalization=normalization)
    _check_prototype(attention, hidden_dim)
    below_one("dropout", dropout)
    weights = dropout if attention_dropout is None else below_one("attention_dropout", attention_dropout)
    units = dropout if activation_dropout is None else below_one("activation_dropout", activation_dropout)
    plain = Attention(num_heads, key_dim or hidden_dim, value_dim, hidden_dim, weights)
    block = TransformerBlock(
        attention or plain,
        feed_forward or FeedForward(intermediate_dim, dropout=units),
        plain if reads_memory else None,
        norm,
        dropout,
        normalization,
    )
    return TransformerStack(
        block,
        num_layers,
        positions,
        dropout,
        final_norm=norm == "pre",
        recompute=recompute,
        normalization=normalization,
        dtype=dtype,
    )


def _check_layers(**parts: Any) -> None:
    """Refuses what a recipe may hand in, being registered, though it is no layer."""
    for option, part in parts.items():
        if part is not None and not isinstance(part, keras.layers.Layer):
            raise ValueError(f"{option}: {type(part).__name__} is no layer. `kt2t list layers` tells which there are.")


def _check_prototype(attention: Any, hidden_dim: int) -> None:
    """Refuses here, where its name is known, what the attention itself could refuse only when it is built."""
    if not isinstance(attention, Attention):
        return
    if attention.key_dim is None:
        check_heads(attention.num_heads, "hidden_dim", hidden_dim, "attention.num_heads")
    if attention.output_dim not in (None, hidden_dim):
        raise ValueError(f"attention.output_dim: {attention.output_dim} is not hidden_dim {hidden_dim}. Leave it out.")
