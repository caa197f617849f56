"""The Transformer without an encoder, as a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from kt2t.layers.relative_attention import RelativeAttention
from kt2t.layers.transformer_stack import stack_of
from kt2t.models.prefix_decoder import PrefixDecoder
from kt2t.registry import register

Tensor = Any


@register
class TransformerLM(PrefixDecoder):
    """Predicts each token of a text from those before it, inputs included if there are any.

    Without inputs `generate` continues the batch's `targets` as a prompt; with inputs, which stand in front of the targets
    in one sequence, it answers to them.

    Shapes:
        targets (batch, time) and, if they are a field, inputs (batch, source) int32, each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: `targets` of kind Text, and `inputs` of any kind with a length that `embed` reads, if there are.
        num_layers: Blocks.
        hidden_dim: Width of the states between the layers.
        intermediate_dim: Width inside the feed-forward networks.
        num_heads: Of every attention.
        dropout: Probability of zeroing an element of a sublayer's output or of what enters the first block.
        attention_dropout: Probability of zeroing an attention weight; `dropout` unless given.
        activation_dropout: Probability of zeroing an inner unit of a feed-forward network; `dropout` unless given.
        norm: pre, or post.
        tie: all: the softmax shares the embedding's table, and inputs of the same vocabulary do too; output: the softmax
            does; none: a table for each.
        key_dim: Width of queries and keys, all heads together; `hidden_dim` unless given.
        value_dim: Width of values, all heads together; `key_dim` unless given.
        positions: Prototype of the layer that tells positions; sinusoids unless given.
        attention: Prototype of the self attention, in place of the plain one.
        feed_forward: Prototype of the feed-forward network, in place of the plain one.
        recompute: Whether training computes what is inside each block again on the way back instead of keeping it: less
            memory, more work, the same numbers.
        normalization: Prototype of every norm, such as `L2Norm()`; `LayerNorm` unless given.
        prefix: How inputs see each other: causal, each those before it; full, each all of them, which asks for rows of
            one example, not packed ones.

    Raises:
        ValueError: Targets that are not Text, inputs without a length, heads that do not divide a width, or
            `RelativeAttention` with inputs.

    Source: Tensor2Tensor's transformer_base without inputs, and its transformer_prepend with them; Radford et al. 2018 made
    the form known.
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
        key_dim: int | None = None,
        value_dim: int | None = None,
        positions: Any = None,
        attention: Any = None,
        feed_forward: Any = None,
        recompute: bool = False,
        normalization: Any = None,
        prefix: Literal["causal", "full"] = "causal",
        **kwargs: Any,
    ) -> None:
        super().__init__(features, **kwargs)
        self.make_text(hidden_dim, tie)
        self.make_inputs(hidden_dim, prefix, shared=tie == "all")
        if "inputs" in self.features and isinstance(attention, RelativeAttention):
            raise ValueError(
                "attention: RelativeAttention would count the padding between inputs and targets. Use Attention, or the "
                "Transformer, whose encoder reads the inputs."
            )
        self.decoder = stack_of(
            num_layers,
            hidden_dim,
            intermediate_dim,
            num_heads,
            dropout,
            attention_dropout,
            activation_dropout,
            norm,
            key_dim,
            value_dim,
            positions,
            attention,
            feed_forward,
            recompute=recompute,
            normalization=normalization,
            dtype=self.dtype_policy.name,
        )

    def call(self, features: Mapping[str, Tensor], training: bool | None = None) -> Tensor:
        return self.decode(features, self.encode(features, training=training), training=training)

    def prompt(self, features: Mapping[str, np.ndarray]) -> np.ndarray | None:
        if "inputs" in self.features:
            return None
        ids = features["targets"]
        return ids * (features["targets_segments"] > 0) if "targets_segments" in features else ids
