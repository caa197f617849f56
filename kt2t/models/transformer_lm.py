"""The Transformer without an encoder, as a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from kt2t.layers.transformer_stack import stack_of
from kt2t.models.text_decoder import TextDecoder
from kt2t.registry import register

Tensor = Any


@register
class TransformerLM(TextDecoder):
    """Predicts each token of a text from those before it. `generate` continues the batch's `targets` as a prompt.

    Shapes:
        targets (batch, time) int32, with `_segments` → logits (batch, time, vocabulary_size)

    Args:
        features: `targets` of kind Text.
        num_layers: Blocks.
        hidden_dim: Width of the states between the layers.
        intermediate_dim: Width inside the feed-forward networks.
        num_heads: Of every attention.
        dropout: Probability of zeroing an element of a sublayer's output or of what enters the first block.
        attention_dropout: Probability of zeroing an attention weight; `dropout` unless given.
        activation_dropout: Probability of zeroing an inner unit of a feed-forward network; `dropout` unless given.
        norm: pre, or post.
        tie: all and output: the softmax shares the embedding's table; none: two tables.
        key_dim: Width of queries and keys, all heads together; `hidden_dim` unless given.
        value_dim: Width of values, all heads together; `key_dim` unless given.
        positions: Prototype of the layer that tells positions; sinusoids unless given.
        attention: Prototype of the self attention, in place of the plain one.
        feed_forward: Prototype of the feed-forward network, in place of the plain one.

    Raises:
        ValueError: There are inputs, targets are not Text, or heads do not divide a width.

    Source: Tensor2Tensor's transformer_base without inputs; Radford et al. 2018 made the form known.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(features, **kwargs)
        if "inputs" in self.features:
            raise ValueError("features: TransformerLM has no encoder that would read 'inputs'. Use Transformer.")
        self.make_text(hidden_dim, tied=tie != "none")
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
            dtype=self.dtype_policy.name,
        )

    def call(self, features: Mapping[str, Tensor], training: bool | None = None) -> Tensor:
        return self.decode(features, None, training=training)

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> None:
        """There is nothing to encode."""
        return None

    def prompt(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        ids = features["targets"]
        return ids * (features["targets_segments"] > 0) if "targets_segments" in features else ids
