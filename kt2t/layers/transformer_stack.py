"""Blocks on top of one another, with what comes before the first and behind the last."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from kt2t.layers.attention import Attention, check_heads
from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.feed_forward import FeedForward
from kt2t.layers.memory import Memory
from kt2t.layers.recomputation import is_worthwhile, recomputed
from kt2t.layers.residual import norm_like
from kt2t.layers.sequence import Sequence
from kt2t.layers.sinusoidal_positions import SinusoidalPositions
from kt2t.layers.transformer_block import TransformerBlock
from kt2t.ops.masks import SegmentMask, padding, same_segment
from kt2t.ops.positions import positions, positions_from_end
from kt2t.options import below_one, one_of, positive
from kt2t.registry import build, describe, register

Tensor = Any


@register
class TransformerStack(Sequence):
    """A stack of Transformer blocks: adds positions, applies dropout, runs the blocks, then a final norm.

    The stack computes masks and positions from the segments. If the blocks have a cross-attention, they attend to the
    memory. Otherwise the memory is put in front of the sequence: its first row begins every example, each further row
    belongs to the example with the same segment id, and positions are counted through memory and sequence.

    Shapes:
        x (batch, time, hidden_dim), segments (batch, time) int32 or None, memory or None → (batch, time, hidden_dim)

    Args:
        block: Prototype of a block; every block of the stack is a new layer like it. The blocks take the prototypes of a
            list in turn.
        num_layers: Number of blocks.
        positions: Prototype of the layer that adds positions; sinusoids unless given.
        dropout: Probability of zeroing an element of the first block's input, in training only.
        final_norm: Whether a norm follows the last block.
        recompute: Whether the backward pass recomputes the activations inside each block instead of storing them: less
            memory, one more forward pass. Needs an open root of `kt2t.ops.randomness`, as every trainer's step has.
        normalization: Prototype of the final norm; `LayerNorm` unless given.
        causal: Whether a position sees only itself and earlier positions, as a decoder's must.
        count_from: The end of an example that positions are counted from: start or end.
        front: Which rows of a memory in front a row may attend to: causal, the rows up to itself; full, all of them.
        include_padding: Whether padding has positions and states of its own, as in Tensor2Tensor. Each row must then hold
            one example.

    Raises:
        ValueError: `num_layers` is not positive, or `count_from` or `front` is unknown.

    Source: Vaswani et al. 2017, section 3.1; the final norm is Tensor2Tensor's. A full front is the prefix language
    model of Liu et al. 2018, section 4.2.3, and Raffel et al. 2020, section 3.2.1.
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
        causal: bool = False,
        count_from: Literal["start", "end"] = "start",
        front: Literal["causal", "full"] = "causal",
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy.name
        positions = SinusoidalPositions() if positions is None else positions
        self.positions = build(describe(positions), dtype=dtype)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        blocks = _each(block)
        self.layers = [
            build(describe(blocks[level % len(blocks)]), dtype=dtype)
            for level in range(positive("num_layers", num_layers))
        ]
        self.norm = norm_like(normalization, dtype) if final_norm else None
        self.recompute = recompute
        self.causal = causal
        self.count_from = one_of("count_from", count_from, ("start", "end"))
        self.front = one_of("front", front, ("causal", "full"))
        self.include_padding = include_padding
        self.takes_packed_front = front == "causal"

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if cache is not None:
            held = cache.read("mask") if cache.holds("mask") else None
            return self._run(x, cache.place(), None, cache.visible(), held, cache, training)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        if memory is None:
            return self._run(x, self._places(segments), None, self._mask(segments), None, None, training)
        if self.reads_memory:
            across = same_segment(segments, memory.segments)
            return self._run(x, self._places(segments), memory.states, self._mask(segments), across, None, training)
        rows = ops.shape(memory.segments)[1]
        together = ops.concatenate([memory.segments, segments], axis=1)
        places = ops.concatenate([_front_places(memory.segments), _later_places(memory.segments, segments)], axis=1)
        x = ops.concatenate([memory.states, x], axis=1)
        return self._run(x, places, None, self._mask(together, rows), None, None, training)[:, rows:]

    @property
    def reads_memory(self) -> bool:
        """True if the blocks attend to a memory; False if a memory is put in front of the sequence."""
        return self.layers[0].cross_attention is not None

    def start(self, memory: Memory | None, cache: Cache) -> None:
        attended = memory.states if memory is not None and self.reads_memory else None
        for level, block in enumerate(self.layers):
            block.start(attended, cache.child(level))
        self._start_front(memory, cache)

    def _start_front(self, memory: Memory | None, cache: Cache) -> None:
        """Stores the mask of an attended memory, or runs the stack over a memory in front."""
        if memory is None:
            return
        if self.reads_memory:
            cache.remember("mask", padding(memory.segments))
        else:
            mask = cache.among_all(self._mask(memory.segments, ops.shape(memory.segments)[1]).dense())
            self._run(memory.states, _front_places(memory.segments), None, mask, None, cache, False)

    def _run(
        self,
        x: Tensor,
        places: Tensor | None,
        memory: Tensor | None,
        mask: Any,
        memory_mask: Any,
        cache: Any,
        training: Any,
    ) -> Tensor:
        """Runs all layers of the stack in order, in training and in decoding."""
        x = self.dropout(self.positions(x, places), training=training)
        real = ops.greater(mask.segments, 0) if self.include_padding else None
        options = {"mask": mask, "memory_mask": memory_mask, "real": real, "training": training}
        x = self._through_blocks(x, memory, cache, options)
        return x if self.norm is None else self.norm(x)

    def _through_blocks(self, x: Tensor, memory: Tensor | None, cache: Any, options: dict[str, Any]) -> Tensor:
        """Runs all blocks in order."""
        for level, block in enumerate(self.layers):
            if self._recomputes(options["training"], cache):
                x, losses = recomputed(block, x, memory, **options)
                self.add_loss(losses)
            else:
                x = block(x, memory=memory, cache=cache and cache.child(level), **options)
        return x

    def _mask(self, segments: Tensor, front: Any = 0) -> SegmentMask:
        shared = not self.recompute  # what one recomputation makes is unknown to the next
        return SegmentMask(segments, self.causal, front, self.front == "full", self.include_padding, shared)

    def _places(self, segments: Tensor) -> Tensor | None:
        """Numbers the positions within each example; returns None if they are to be counted within the row."""
        if self.include_padding:
            return None
        return positions(segments) if self.count_from == "start" else positions_from_end(segments)

    def _recomputes(self, training: bool | None, cache: Cache | None) -> bool:
        return self.recompute and is_worthwhile(training, cache)


def _front_places(front: Tensor) -> Tensor:
    """Numbers the rows of a memory in front: 0 for the start vector, then from 1 in every example.

    Shapes:
        front (batch, rows) → (batch, rows) int32
    """
    return ops.pad(positions(front[:, 1:]) + 1, [[0, 0], [1, 0]])


def _later_places(front: Tensor, own: Tensor) -> Tensor:
    """Numbers the positions of a sequence after the rows of the same example in front; padding there is not counted.

    Shapes:
        front (batch, rows), own (batch, time) → (batch, time) int32
    """
    before = ops.sum(ops.cast(same_segment(own, front[:, 1:]), "int32"), axis=2)
    return 1 + before + positions(own)


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
    kind: Any = TransformerStack,
    **of_stack: Any,
) -> TransformerStack:
    """Makes a `TransformerStack` from sizes; `attention` and `feed_forward` replace the default sublayers.

    The blocks take the kinds of attention in a list in turn.

    `AttentionModel` describes the shared options; `kind` is the class of the stack, and `of_stack` are further options of
    it, such as `causal`.

    `dtype` is the dtype policy of every layer whose prototype does not name its own; None is Keras's default.

    Raises:
        ValueError: `num_heads` does not divide a width, a size is not positive, a dropout is not a probability, a part
            is not a layer, or an attention of a causal stack cannot decode.
    """
    if key_dim is None:
        check_heads(num_heads, "hidden_dim", hidden_dim)
    _check_layers(attention=attention, feed_forward=feed_forward, positions=positions, normalization=normalization)
    for prototype in _each(attention):
        _check_prototype(prototype, hidden_dim, of_stack.get("causal", False))
    below_one("dropout", dropout)
    weights = dropout if attention_dropout is None else below_one("attention_dropout", attention_dropout)
    units = dropout if activation_dropout is None else below_one("activation_dropout", activation_dropout)
    plain = Attention(num_heads, key_dim or hidden_dim, value_dim, hidden_dim, weights)
    blocks = [
        TransformerBlock(
            prototype or plain,
            feed_forward or FeedForward(intermediate_dim, dropout=units),
            plain if reads_memory else None,
            norm,
            dropout,
            normalization,
        )
        for prototype in _each(attention)
    ]
    return kind(
        blocks if isinstance(attention, list) else blocks[0],
        num_layers,
        positions=positions,
        dropout=dropout,
        final_norm=norm == "pre",
        recompute=recompute,
        normalization=normalization,
        dtype=dtype,
        **of_stack,
    )


def _each(prototypes: Any) -> list[Any]:
    """Returns a list of prototypes, or one prototype as a list."""
    return prototypes if isinstance(prototypes, list) and prototypes else [prototypes]


def _check_layers(**parts: Any) -> None:
    """Raises a ValueError for a part that is a registered object but not a layer."""
    for option, part in ((option, part) for option, given in parts.items() for part in _each(given)):
        if part is not None and not isinstance(part, keras.layers.Layer):
            raise ValueError(f"{option}: {type(part).__name__} is no layer. `kt2t list layers` tells which there are.")


def _check_prototype(attention: Any, hidden_dim: int, decodes: bool) -> None:
    """Raises a ValueError if `attention` does not fit `hidden_dim` or cannot decode, and names the option."""
    if attention is not None and decodes and not getattr(attention, "can_decode", False):
        raise ValueError(
            f"attention: {type(attention).__name__} as given cannot decode position by position. Use it in an encoder, "
            "or another kind."
        )
    if not isinstance(attention, Attention):
        return
    if attention.key_dim is None:
        check_heads(attention.num_heads, "hidden_dim", hidden_dim, "attention.num_heads")
    if attention.output_dim not in (None, hidden_dim):
        raise ValueError(f"attention.output_dim: {attention.output_dim} is not hidden_dim {hidden_dim}. Leave it out.")
