"""An encoder under one head or several, for everything that is not written step by step: labels, tags, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.layers.feature_layers import head
from kt2t.layers.memory import Memory
from kt2t.layers.parts import made
from kt2t.layers.sequence import Sequence
from kt2t.models.model import Model, require_inputs
from kt2t.registry import register

Tensor = Any


@register
class Reader(Model):
    """Reads `inputs` of any kind and predicts a label, a tag for each position, numbers, or several of these at once.

    Shapes:
        inputs of any kind that `embed` reads, with `_segments` where their length varies, labels (batch,)
        → logits, such as (batch, num_classes) for a Label or (batch, time, num_classes + 1) for Tags; a dict of them
        with the keys of the targets if these are a dict

    Args:
        features: `inputs`, `targets` of any kind that `head` predicts, or a dict of them, and labels that condition
            the inputs.
        encoder: A `Sequence`, or its node. Any other layer reads the inputs as a map (batch, height, width, hidden_dim)
            and returns a map.
        hidden_dim: Width of the embeddings.

    Raises:
        ValueError: No inputs, targets that are written step by step, or tags for inputs that have another number of
            positions.
    """

    reads = frozenset({"target_space", "language", "speaker"})
    writes_text = False  # whether a single target may be Text

    def __init__(self, features: Mapping[str, Any], encoder: Any, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(features, **kwargs)
        inputs = require_inputs(self.features, type(self).__name__)
        targets, dtype = self.features["targets"], self.dtype_policy.name
        for feature in _each(targets):
            is_text = feature.is_fed_back
            if is_text and not (self.writes_text and feature is targets):
                raise ValueError(f"features: {type(self).__name__} does not write {feature!r}. Use Transformer.")
            each = feature.shares_segments_with or is_text
            if each and (not inputs.has_segments or inputs.values_per_position != 1):
                what = "an id" if is_text else "a tag"
                raise ValueError(f"features: {feature!r} has {what} for each position, and the inputs are {inputs!r}.")
        encoder = made(encoder, "encoder", dtype)
        self.make_input_embeddings(hidden_dim, **({} if isinstance(encoder, Sequence) else {"as_map": True}))
        self.encoder = encoder
        if isinstance(targets, Mapping):
            self.head: Any = {key: head(feature, dtype=dtype) for key, feature in targets.items()}
        else:
            self.head = head(targets, dtype=dtype)

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory:
        """Encodes the inputs to a sequence, or to a map (batch, height, width, channels)."""
        x, segments = self.embedded_inputs(features)
        if isinstance(self.encoder, Sequence):
            return Memory(self.encoder(x, segments, training=training), segments)
        states = self.encoder(x, training=training)
        return Memory(states, ops.ones(ops.shape(states)[:3], dtype="int32"))

    def call(self, features: Mapping[str, Tensor], training: bool | None = None) -> Any:
        states, segments = self.encode(features, training=training)
        if isinstance(self.features["targets"], Mapping):
            return {key: one(states, segments=segments) for key, one in self.head.items()}
        return self.head(states, segments=segments)


def _each(targets: Any) -> list[Any]:
    return list(targets.values()) if isinstance(targets, Mapping) else [targets]
