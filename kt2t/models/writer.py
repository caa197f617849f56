"""The base class of models that predict each token of the targets from the tokens before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.decoding.decodes import Decodes
from kt2t.layers.cache import Cache
from kt2t.layers.feature_layers import embed, head
from kt2t.layers.memory import Memory
from kt2t.layers.parts import made
from kt2t.models.model import Model, segments_of
from kt2t.ops.segments import shift_right
from kt2t.options import one_of

Tensor = Any


class Writer(Decodes, Model):
    """Base class of models whose decoder writes targets of kind Text, one position after another.

    The same layers serve training, in `decode`, and decoding, in `start` and `step`. A subclass has
    `encode(features, training)`, which returns the memory of the decoder, or None.

    Args:
        features: See `Model`.
        decoder: A causal `Sequence` layer, its node, or a function that makes it.
        hidden_dim: Width of the embeddings, and of the decoder's output.
        tie: none gives the softmax a table of its own; otherwise it shares the table of the targets' embedding.

    Raises:
        ValueError: The targets are not Text, the decoder reads later positions, or `tie` is unknown.
    """

    def __init__(
        self, features: Mapping[str, Any], decoder: Any, hidden_dim: int, tie: str = "all", **kwargs: Any
    ) -> None:
        super().__init__(features, **kwargs)
        targets = self.features["targets"]
        if not getattr(targets, "is_fed_back", False):
            raise ValueError(
                f"features: {type(self).__name__} writes Text, and the targets are {targets!r}. "
                "Use TransformerEncoder, or another Reader."
            )
        one_of("tie", tie, ("all", "output", "none"))
        dtype = self.dtype_policy.name
        self.targets_embedding = embed(targets, hidden_dim, dtype=dtype)
        self.head = None if tie != "none" else head(targets, dtype=dtype)
        self.decoder = made(decoder, "decoder", dtype)
        if not getattr(self.decoder, "can_decode", True):
            raise ValueError(
                f"decoder: {type(self.decoder).__name__} reads later positions, so it cannot write. Use it as an encoder."
            )

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory | None:
        """Returns the memory that the decoder reads, or None if the decoder reads none."""
        raise NotImplementedError(f"{type(self).__name__} must define encode(features, training).")

    def decode(self, features: Mapping[str, Tensor], memory: Memory | None, training: bool | None = False) -> Tensor:
        """Computes logits (batch, time, vocabulary_size) for each position of the targets from the tokens before it."""
        segments = segments_of(features, "targets", self.features["targets"])
        x = shift_right(self.targets_embedding(features["targets"]), segments)
        return self.logits(self.decoder(x, segments, memory=memory, training=training))

    def call(self, features: Mapping[str, Tensor], training: bool | None = None) -> Tensor:
        return self.decode(features, self.encode(features, training=training), training=training)

    def logits(self, hidden: Tensor) -> Tensor:
        """Turns hidden states (…, hidden_dim) into logits (…, vocabulary_size)."""
        return self.targets_embedding.logits(hidden) if self.head is None else self.head(hidden)

    def start(self, memory: Memory | None, features: Mapping[str, Tensor], length: int, beams: int) -> Cache:
        """Makes the cache for decoding `length` positions. If `memory` is None, `features` give the batch size."""
        first = features["targets"] if memory is None else memory.segments
        cache = Cache(ops.shape(first)[0], length, beams)
        self.decoder.start(memory, cache.child("decoder"))
        return cache

    def step(self, ids: Tensor, position: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Decodes one position: ids (batch, beams) → logits (batch, beams, vocabulary_size)."""
        x = self.targets_embedding(ids)
        return self.logits(self.decoder(x, cache=cache.child("decoder"), training=False)), cache
