"""A decoder alone, which continues a text, or answers to inputs that stand in front of its targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.feature_layers import embed
from kt2t.layers.memory import Memory
from kt2t.models.model import segments_of
from kt2t.models.writer import Writer
from kt2t.registry import register

Tensor = Any


@register
class LanguageModel(Writer):
    """Predicts each token of a text from the tokens before it, and from the inputs if there are any.

        [0, x_1 … x_n, 0, y_1 … y_m-1]  →  [ …, y_1, … y_m]

    0 stands for the zero vector. Only the predictions for the targets are returned. Without inputs `generate` continues
    the batch's `targets` as a prompt; with inputs it answers to them.

    Shapes:
        targets (batch, time) int32 and, if they are a field, inputs (batch, source), each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: `targets` of kind Text, and `inputs` of any kind with a length that `embed` reads, optionally.
        decoder: A causal `Sequence`, or its node.
        hidden_dim: Width of the embeddings, and of the decoder's output.
        tie: all: the softmax shares the embedding's table, and inputs of the same vocabulary do too; output: the
            softmax does; none: a table for each.

    Raises:
        ValueError: Targets that are not Text, inputs without a length, or an unknown `tie`.

    Source: inputs in front: Tensor2Tensor's prepend modes; Liu et al. 2018, section 4.2.3.
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        decoder: Any,
        hidden_dim: int,
        tie: Literal["all", "output", "none"] = "all",
        **kwargs: Any,
    ) -> None:
        super().__init__(features, decoder, hidden_dim, tie, **kwargs)
        if "inputs" not in self.features:
            return
        inputs = self.features["inputs"]
        if not inputs.has_segments:
            raise ValueError(
                f"features: {type(self).__name__} reads inputs in front of its targets, as one sequence, and "
                f"{inputs!r} "
                "is none."
            )
        self.takes_packed_rows = self.decoder.takes_packed_front
        if tie == "all" and inputs == self.features["targets"]:
            self.inputs_embedding = self.targets_embedding
        else:
            self.inputs_embedding = embed(inputs, hidden_dim, dtype=self.dtype_policy.name)

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory | None:
        """Embeds a start vector and the inputs (batch, 1 + source, hidden_dim); returns None if the model has no inputs.

        The start belongs to the first segment.
        """
        if "inputs" not in self.features:
            return None
        own = segments_of(features, "inputs", self.features["inputs"])
        states = ops.pad(self.inputs_embedding(features["inputs"], own), [[0, 0], [1, 0], [0, 0]])
        segments = self.inputs_embedding.segments(features["inputs"], own)
        return Memory(states, ops.pad(segments, [[0, 0], [1, 0]], constant_values=1))

    def start(self, memory: Memory | None, features: Mapping[str, Tensor], length: int, beams: int) -> Cache:
        """Makes the cache for decoding; writes the inputs into it, so that all beams can attend to them."""
        if memory is None:
            return super().start(None, features, length, beams)
        cache = Cache(ops.shape(memory.segments)[0], length, beams, prefix=ops.greater(memory.segments, 0))
        self.decoder.start(memory, cache.child("decoder"))
        return cache

    def prompt(self, features: Mapping[str, np.ndarray]) -> np.ndarray | None:
        if "inputs" in self.features:
            return None
        ids = features["targets"]
        return ids * (features["targets_segments"] > 0) if "targets_segments" in features else ids
