"""The side of a Transformer that reads the inputs, in both directions at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from keras import ops

from kt2t.layers.feature_layers import embed
from kt2t.layers.transformer_stack import TransformerStack
from kt2t.models.model import Model, segments_of
from kt2t.ops import masks
from kt2t.ops.positions import positions, positions_from_end

Tensor = Any
InputPositions = Literal["from_start", "from_end"]


class InputEncoder(Model):
    """A model that reads `inputs` with its `encoder`, and a `target_space` if there is one, added at every position.

    A subclass makes `self.encoder` and calls `make_inputs`. With `reads_padding` a row is one example, whose padding has
    positions and states of its own: nothing real sees them, and feed-forward networks leave them as they are. Elsewhere
    `input_positions` says from which end of each example its positions count.

    Raises:
        ValueError: There are no inputs.
    """

    reads = frozenset({"target_space"})
    encoder: TransformerStack
    reads_padding = False
    input_positions: InputPositions = "from_start"

    def __init__(self, features: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(features, **kwargs)
        if "inputs" not in self.features:
            raise ValueError(
                f"features: {type(self).__name__} reads 'inputs', and there are none. TransformerLM does without."
            )

    def make_inputs(self, hidden_dim: int, embedding: Any = None) -> None:
        """Makes the embedding of the inputs, unless they use another's, and of the target space."""
        self.inputs_embedding = embedding or embed(self.features["inputs"], hidden_dim, dtype=self.dtype_policy.name)
        if "target_space" in self.features:
            self.target_space_embedding = embed(self.features["target_space"], hidden_dim, dtype=self.dtype_policy.name)

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> dict[str, Tensor]:
        """The memory: `states` (batch, source, hidden_dim) and `segments` (batch, source)."""
        segments = segments_of(features, "inputs")
        x = self.inputs_embedding(features["inputs"])
        if "target_space" in self.features:
            x = x + ops.expand_dims(self.target_space_embedding(features["target_space"]), 1)
        if self.reads_padding:
            how = {"mask": masks.padding(segments), "real": ops.greater(segments, 0)}
        else:
            counted = positions if self.input_positions == "from_start" else positions_from_end
            how = {"mask": masks.same_segment(segments, segments), "positions": counted(segments)}
        states = self.encoder(x, **how, training=training)
        return {"states": states, "segments": segments}
