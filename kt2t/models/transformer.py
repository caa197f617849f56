"""The Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from kt2t.layers.transformer_stack import stack_of
from kt2t.models.input_encoder import InputEncoder, InputPositions
from kt2t.models.text_decoder import TextDecoder
from kt2t.registry import register

Tensor = Any


@register
class Transformer(InputEncoder, TextDecoder):
    """Encoder and decoder of attention and feed-forward blocks; the defaults are Tensor2Tensor's base model.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments`, target_space (batch,) if it is a
        field → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Text, and `target_space` (a Label) if there
            is.
        num_layers: Blocks of the encoder, and of the decoder.
        hidden_dim: Width of the states between the layers.
        intermediate_dim: Width inside the feed-forward networks.
        num_heads: Of every attention.
        dropout: Probability of zeroing an element of a sublayer's output or of what enters the first block.
        attention_dropout: Probability of zeroing an attention weight; `dropout` unless given.
        activation_dropout: Probability of zeroing an inner unit of a feed-forward network; `dropout` unless given.
        norm: pre, or post as published.
        tie: all: inputs, targets and softmax share one table when inputs and targets have the same vocabulary (else as
            output); output: targets and softmax share one; none: three tables.
        encoder_layers: `num_layers` unless given.
        decoder_layers: `num_layers` unless given.
        key_dim: Width of queries and keys, all heads together; `hidden_dim` unless given.
        value_dim: Width of values, all heads together; `key_dim` unless given.
        positions: Prototype of the layer that tells positions; sinusoids unless given.
        attention: Prototype of the self attention, in place of the plain one.
        feed_forward: Prototype of the feed-forward network, in place of the plain one.
        recompute: Whether training computes what is inside each block again on the way back instead of keeping it: less
            memory, more work, the same numbers.
        normalization: Prototype of every norm, such as `L2Norm()`; `LayerNorm` unless given.
        input_positions: from_start, or from_end, which counts the positions of the inputs from their last one back: what
            stands how far from the end can then be looked for, however long the inputs are.

    Raises:
        ValueError: No inputs, targets that are not Text, heads that do not divide a width, or unknown `input_positions`.

    Source: Vaswani et al. 2017; pre-norm, the target space and all numbers: Tensor2Tensor's transformer_base. Positions from
    the end: as Takase and Okazaki 2019 tell a decoder how many are left of the length asked for.
    """

    def __init__(
        self,
        features: dict[str, Any],
        num_layers: int = 6,
        hidden_dim: int = 512,
        intermediate_dim: int = 2048,
        num_heads: int = 8,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
        norm: Literal["pre", "post"] = "pre",
        tie: Literal["all", "output", "none"] = "all",
        encoder_layers: int | None = None,
        decoder_layers: int | None = None,
        key_dim: int | None = None,
        value_dim: int | None = None,
        positions: Any = None,
        attention: Any = None,
        feed_forward: Any = None,
        recompute: bool = False,
        normalization: Any = None,
        input_positions: InputPositions = "from_start",
        **kwargs: Any,
    ) -> None:
        super().__init__(features, **kwargs)
        if input_positions not in get_args(InputPositions):
            raise ValueError(f"input_positions: {input_positions!r} is not known. Choose from_start or from_end.")
        self.input_positions = input_positions
        shape = {
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "num_heads": num_heads,
            "key_dim": key_dim,
            "value_dim": value_dim,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation_dropout": activation_dropout,
            "norm": norm,
            "positions": positions,
            "attention": attention,
            "feed_forward": feed_forward,
            "recompute": recompute,
            "normalization": normalization,
            "dtype": self.dtype_policy.name,
        }
        self.make_text(hidden_dim, tie)
        shared = tie == "all" and self.features["inputs"] == self.features["targets"]
        self.make_inputs(hidden_dim, self.targets_embedding if shared else None)
        self.encoder = stack_of(num_layers if encoder_layers is None else encoder_layers, **shape)
        self.decoder = stack_of(num_layers if decoder_layers is None else decoder_layers, reads_memory=True, **shape)

    def call(self, features: Mapping[str, Tensor], training: bool | None = None) -> Tensor:
        return self.decode(features, self.encode(features, training=training), training=training)
