"""The Transformer's encoder under a head, for labels of texts and of words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.features import Label, Text
from kt2t.layers.feature_layers import head
from kt2t.layers.transformer_stack import stack_of
from kt2t.models.input_encoder import InputEncoder
from kt2t.models.model import segments_of
from kt2t.registry import register

Tensor = Any


@register
class TransformerEncoder(InputEncoder):
    """Reads the whole input in both directions and predicts a label for it, or a tag for each of its positions.

    Shapes:
        inputs (batch, time) int32, with `_segments` → logits (batch, num_classes) for a Label,
        (batch, time, num_classes + 1) for Tags

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Label or Tags, and `target_space` (a Label)
            if there is.
        num_layers: Blocks.
        hidden_dim: Width of the states between the layers.
        intermediate_dim: Width inside the feed-forward networks.
        num_heads: Of every attention.
        dropout: Probability of zeroing an element of a sublayer's output or of what enters the first block.
        attention_dropout: Probability of zeroing an attention weight; `dropout` unless given.
        activation_dropout: Probability of zeroing an inner unit of a feed-forward network; `dropout` unless given.
        norm: pre, or post.
        key_dim: Width of queries and keys, all heads together; `hidden_dim` unless given.
        value_dim: Width of values, all heads together; `key_dim` unless given.
        positions: Prototype of the layer that tells positions; sinusoids unless given.
        attention: Prototype of the self attention, in place of the plain one.
        feed_forward: Prototype of the feed-forward network, in place of the plain one.
        recompute: Whether training computes what is inside each block again on the way back instead of keeping it: less
            memory, more work, the same numbers.
        normalization: Prototype of every norm, such as `L2Norm()`; `LayerNorm` unless given.
        include_padding: Whether padding has states of its own that take part in a label's mean, as in Tensor2Tensor: for
            weights that were trained so. What is predicted then depends on how wide a batch is padded.

    Raises:
        ValueError: No inputs, targets that are Text, or heads that do not divide a width.

    Source: Tensor2Tensor's transformer_encoder. Departs: a label is read from the mean over real positions, not over
    padding, unless `include_padding`.
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
        key_dim: int | None = None,
        value_dim: int | None = None,
        positions: Any = None,
        attention: Any = None,
        feed_forward: Any = None,
        recompute: bool = False,
        normalization: Any = None,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, **kwargs)
        targets = self.features["targets"]
        if isinstance(targets, Text):
            raise ValueError(f"features: TransformerEncoder does not write {targets!r}. Use Transformer.")
        self.make_inputs(hidden_dim)
        self.encoder = stack_of(
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
        pooling = {"include_padding": include_padding} if isinstance(targets, Label) else {}
        self.head = head(targets, dtype=self.dtype_policy.name, **pooling)
        self.reads_padding = include_padding
        self.takes_packed_rows = not include_padding

    def call(self, features: Mapping[str, Tensor], training: bool | None = None) -> Tensor:
        states = self.encode(features, training=training)["states"]
        if isinstance(self.features["targets"], Label):
            return self.head(states, segments=segments_of(features, "inputs"))
        return self.head(states)
