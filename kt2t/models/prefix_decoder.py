"""A decoder whose inputs, where there are any, stand in front of the targets in one sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.feature_layers import embed
from kt2t.models.model import segments_of
from kt2t.models.text_decoder import TextDecoder
from kt2t.ops import masks
from kt2t.ops.positions import positions
from kt2t.ops.segments import shift_right

Tensor = Any


class PrefixDecoder(TextDecoder):
    """A `TextDecoder` that may read inputs without an encoder: the sequence is a start, the inputs, and the targets.

        [0, x_1 … x_n, 0, y_1 … y_m-1]  →  [ …, y_1, … y_m]

    Zeros are the zero vector. Positions count through the whole of a sequence, and only what is predicted for the
    targets is given back. Padding behind the inputs of a row is hidden and takes no position. A subclass calls
    `make_inputs` after `make_text`.

    Raises:
        ValueError: `prefix` is unknown, or the inputs have no length.

    Source: Tensor2Tensor's prepend modes, masked (causal) and full; Liu et al. 2018, section 4.2.3, and Raffel et al. 2020,
        section 3.2.1 (prefix LM).
    """

    prefix: Literal["causal", "full"]

    def make_inputs(self, hidden_dim: int, prefix: Literal["causal", "full"], shared: bool) -> None:
        """Makes the embedding of the inputs, if there are inputs; `shared` lets equal fields have one table."""
        if prefix not in ("causal", "full"):
            raise ValueError(f"prefix: {prefix!r} is neither causal nor full.")
        self.prefix = prefix
        if "inputs" not in self.features:
            return
        inputs = self.features["inputs"]
        if not inputs.has_segments:
            raise ValueError(
                f"features: {type(self).__name__} reads inputs in front of its targets, as one sequence, and {inputs!r} "
                "is none."
            )
        self.takes_packed_rows = prefix == "causal"
        if shared and inputs == self.features["targets"]:
            self.inputs_embedding = self.targets_embedding
        else:
            self.inputs_embedding = embed(inputs, hidden_dim, dtype=self.dtype_policy.name)

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> dict[str, Tensor] | None:
        """What stands in front: `states` (batch, 1 + source, hidden_dim), `segments` (batch, 1 + source); None without.

        The start belongs to the first segment.
        """
        if "inputs" not in self.features:
            return None
        states = ops.pad(self.inputs_embedding(features["inputs"]), [[0, 0], [1, 0], [0, 0]])
        segments = ops.pad(segments_of(features, "inputs"), [[0, 0], [1, 0]], constant_values=1)
        return {"states": states, "segments": segments}

    def decode(
        self, features: Mapping[str, Tensor], memory: Mapping[str, Tensor] | None, training: bool | None = False
    ) -> Tensor:
        if memory is None:
            return super().decode(features, None, training=training)
        front, own = memory["segments"], segments_of(features, "targets")
        behind = shift_right(self.targets_embedding(features["targets"]), own)
        before = 1 + ops.sum(ops.cast(masks.same_segment(own, front[:, 1:]), "int32"), axis=2)
        rows = ops.shape(front)[1]
        hidden = self.decoder(
            ops.concatenate([memory["states"], behind], axis=1),
            positions=ops.concatenate([_front_positions(front), before + positions(own)], axis=1),
            mask=self._mask(ops.concatenate([front, own], axis=1), rows),
            training=training,
        )
        return self.logits(hidden[:, rows:])

    def start(
        self, memory: Mapping[str, Tensor] | None, features: Mapping[str, Tensor], length: int, beams: int
    ) -> Cache:
        if memory is None:
            return super().start(None, features, length, beams)
        front = memory["segments"]
        cache = Cache(ops.shape(front)[0], length, beams, prefix=ops.greater(front, 0))
        below = cache.child("decoder")
        self.decoder.start(None, below)
        mask = cache.among_all(self._mask(front, ops.shape(front)[1]))
        self.decoder(memory["states"], positions=_front_positions(front), mask=mask, cache=below, training=False)
        return cache

    def _mask(self, segments: Tensor, rows: Any) -> Tensor:
        """Who sees whom in a sequence of which `rows` stand in front."""
        length, same = ops.shape(segments)[1], masks.same_segment(segments, segments)
        if self.prefix == "full":
            return masks.both(masks.prefix(rows, length), same)
        # The start sees nothing but itself, so that it can serve every example of a packed row.
        is_start = ops.expand_dims(ops.equal(ops.arange(length, dtype="int32"), 0), (0, 1))
        return masks.both(masks.causal(length), ops.logical_or(same, is_start))


def _front_positions(front: Tensor) -> Tensor:
    """(batch, 1 + source): the start is at 0, the inputs of every segment follow from 1."""
    return ops.pad(positions(front[:, 1:]) + 1, [[0, 0], [1, 0]])
