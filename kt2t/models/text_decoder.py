"""The side of a Transformer that writes text, with a memory to read or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.decoding.decodes import Decodes
from kt2t.features import Text
from kt2t.layers.cache import Cache
from kt2t.layers.feature_layers import embed, head
from kt2t.layers.transformer_stack import TransformerStack
from kt2t.models.model import Model, segments_of
from kt2t.ops import masks
from kt2t.ops.positions import positions
from kt2t.ops.segments import shift_right
from kt2t.options import nearest

Tensor = Any
TIES = ("all", "output", "none")


class TextDecoder(Decodes, Model):
    """A model whose targets are Text, predicted one position after another by its `decoder`.

    A subclass makes `self.decoder` and calls `make_text`; the same layers serve training, in `decode`, and decoding, in
    `start` and `step`.

    Raises:
        ValueError: Targets that are not Text.
    """

    decoder: TransformerStack

    def __init__(self, features: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(features, **kwargs)
        targets = self.features["targets"]
        if not isinstance(targets, Text):
            raise ValueError(
                f"features: {type(self).__name__} writes Text, and the targets are {targets!r}. Use TransformerEncoder."
            )

    def make_text(self, hidden_dim: int, tie: str) -> None:
        """Makes the targets' embedding and, unless the softmax is tied to its table, the head.

        Raises:
            ValueError: `tie` is neither `all`, `output` nor `none`.
        """
        if tie not in TIES:
            raise ValueError(f"tie: {tie!r} is no way to share tables. {nearest(tie, TIES)}")
        self.targets_embedding = embed(self.features["targets"], hidden_dim, dtype=self.dtype_policy.name)
        self.head = None if tie != "none" else head(self.features["targets"], dtype=self.dtype_policy.name)

    def decode(
        self, features: Mapping[str, Tensor], memory: Mapping[str, Tensor] | None, training: bool | None = False
    ) -> Tensor:
        """Logits (batch, time, vocabulary_size) for every position of the targets, each from those before it."""
        segments = segments_of(features, "targets")
        x = shift_right(self.targets_embedding(features["targets"]), segments)
        reading: dict[str, Tensor] = {}
        if memory is not None:
            same = masks.same_segment(segments, memory["segments"])
            reading = {"memory": memory["states"], "memory_mask": same}
        mask = masks.both(masks.causal(ops.shape(segments)[1]), masks.same_segment(segments, segments))
        return self.logits(self.decoder(x, positions=positions(segments), mask=mask, training=training, **reading))

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (…, hidden_dim) to logits (…, vocabulary_size)."""
        return self.targets_embedding.logits(hidden) if self.head is None else self.head(hidden)

    def start(
        self, memory: Mapping[str, Tensor] | None, features: Mapping[str, Tensor], length: int, beams: int
    ) -> Cache:
        """The cache for decoding `length` positions; `features` tell the number of rows where there is no memory."""
        first = features["targets"] if memory is None else memory["segments"]
        cache = Cache(ops.shape(first)[0], length, beams)
        if memory is not None:
            cache.remember("mask", masks.padding(memory["segments"]))
        self.decoder.start(memory and memory["states"], cache.child("decoder"))
        return cache

    def step(self, ids: Tensor, position: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """One position: ids (batch, beams) → logits (batch, beams, vocabulary_size)."""
        hidden = self.decoder(
            self.targets_embedding(ids),
            positions=cache.place(),
            mask=cache.visible(),
            memory_mask=cache.read("mask") if cache.holds("mask") else None,
            cache=cache.child("decoder"),
            training=False,
        )
        return self.logits(hidden), cache
