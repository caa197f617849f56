"""The Transformer's encoder under a head, for labels of whole inputs and of their positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.layers.memory import Memory
from kt2t.models.attention_model import AttentionModel
from kt2t.models.reader import Reader
from kt2t.registry import register

Tensor = Any


@register
class TransformerEncoder(AttentionModel, Reader):
    """Reads the whole input in both directions and predicts a label for it, a tag for each of its positions, or both.

    Shapes:
        inputs (batch, time) int32, with `_segments` → logits (batch, num_classes) for a Label,
        (batch, time, num_classes + 1) for Tags, a dict of them for a dict of targets

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of any kind that `head` predicts, or a dict of
            them, and labels that condition the inputs.
        include_padding: Whether padding has states, which enter the mean for a label, as in Tensor2Tensor. Use it for weights
            that were trained so; predictions then depend on the padded width of the batch.
        common: The options of `AttentionModel`.

    Raises:
        ValueError: There are no inputs, targets are Text, or `num_heads` does not divide a width.

    Source: Tensor2Tensor's transformer_encoder. Departs: a label is read from the mean over real positions, not over
    padding, unless `include_padding`.
    """

    def __init__(self, features: Mapping[str, Any], include_padding: bool = False, **common: Any) -> None:
        super().__init__(features, encoder={"include_padding": include_padding}, **common)
        self.include_padding = include_padding
        self.takes_packed_rows = not include_padding

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory:
        memory = super().encode(features, training=training)
        return Memory(memory.states, ops.ones_like(memory.segments)) if self.include_padding else memory
