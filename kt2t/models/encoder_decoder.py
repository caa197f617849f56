"""The base model of an encoder and a decoder that attends to its output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.layers.memory import Memory
from kt2t.layers.parts import made
from kt2t.models.model import require_inputs
from kt2t.models.writer import Writer
from kt2t.registry import register

Tensor = Any


@register
class EncoderDecoder(Writer):
    """Reads `inputs` of any kind with an encoder, and writes `targets` of kind Text with a decoder.

    The vector of every label that conditions the inputs (`target_space`, `language`, `speaker`) is added at each of
    their positions.

    Shapes:
        inputs of any kind that `embed` reads, targets (batch, time) int32, each with `_segments` where its length
        varies, labels (batch,) → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs`, `targets`, and labels that condition the inputs.
        encoder: A `Sequence`, or its node.
        decoder: A causal `Sequence` that reads a memory, or its node.
        hidden_dim: Width of the embeddings, and of the decoder's output.
        tie: all: inputs, targets and softmax share one table when inputs and targets have the same vocabulary (else as
            output); output: targets and softmax share one; none: three tables.

    Raises:
        ValueError: No inputs, targets that are not Text, or an unknown `tie`.

    Source: Sutskever et al. 2014 and Bahdanau et al. 2015, for any layers.
    """

    reads = frozenset({"target_space", "language", "speaker"})

    def __init__(
        self,
        features: Mapping[str, Any],
        encoder: Any,
        decoder: Any,
        hidden_dim: int,
        tie: Literal["all", "output", "none"] = "all",
        **kwargs: Any,
    ) -> None:
        super().__init__(features, decoder, hidden_dim, tie, **kwargs)
        inputs = require_inputs(self.features, type(self).__name__)
        shared = tie == "all" and inputs == self.features["targets"]
        self.make_input_embeddings(hidden_dim, self.targets_embedding if shared else None)
        self.encoder = made(encoder, "encoder", self.dtype_policy.name)

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory:
        """Encodes the inputs and returns the memory that the decoder attends to."""
        x, segments = self.embedded_inputs(features)
        return Memory(self.encoder(x, segments, training=training), segments)
