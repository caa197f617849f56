"""The base class of models that write a text at once, in the place of the text that they read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.models.reader import Reader
from kt2t.ops.positions import positions
from kt2t.ops.segments import last_positions
from kt2t.registry import register

Tensor = Any


@register
class ParallelWriter(Reader):
    """Reads a text and writes the targets over it: the n-th id of the targets is predicted at the n-th position of the inputs.

    All positions are predicted at once, so there is no search. What `answer` gives ends with the first end symbol, or at the
    last position of the inputs. Targets that are longer than their inputs cannot be written: beyond the inputs all logits are
    the same. Labels and tags are predicted as by `Reader`.

    In training, the targets only say where the logits are needed; their ids are not read.

    Shapes:
        inputs (batch, source) int32 and, in training, targets (batch, time) int32, each with `_segments` → logits
        (batch, time, vocabulary_size), or (batch, source, vocabulary_size) without targets

    Args:
        features: `inputs` with an id for each position, such as Text, `targets` of any kind that `head` predicts, and labels
            that condition the inputs.
        encoder: A `Sequence`, or its node.
        hidden_dim: Width of the embeddings.

    Raises:
        ValueError: See `Reader`; inputs that have no positions of their own for targets of kind Text.

    Source: Kaiser and Sutskever 2016, section 2, whose output stands on the tape of the input.
    """

    writes_text = True

    def call(self, features: Mapping[str, Tensor], training: bool | None = None) -> Any:
        if not getattr(self.features["targets"], "is_fed_back", False) or "targets_segments" not in features:
            return super().call(features, training=training)
        memory = self.encode(features, training=training)
        targets = features["targets_segments"]
        return self.head(_in_place(memory.states, memory.segments, targets), segments=targets)

    def _read(self, answering: bool) -> list[str]:
        return [name for name in self.features if name != "targets"]


def _in_place(states: Tensor, segments: Tensor, targets: Tensor) -> Tensor:
    """Returns, for each position of the targets, the state at the same position of the same example; zeros if it has none.

    Shapes:
        states (batch, source, dim), segments (batch, source), targets (batch, time) segments → (batch, time, dim)
    """
    number = ops.cast(targets, "int32")
    last = last_positions(segments)
    last = ops.take_along_axis(last, ops.minimum(number, ops.shape(last)[1] - 1), axis=1)
    here = ops.take_along_axis(ops.cast(segments, "int32"), last, axis=1)
    where = last - ops.take_along_axis(positions(segments), last, axis=1) + positions(targets)
    exists = ops.logical_and(ops.equal(here, number), ops.logical_and(number > 0, where <= last))
    found = ops.take_along_axis(states, ops.expand_dims(ops.where(exists, where, 0), 2), axis=1)
    return ops.where(ops.expand_dims(exists, 2), found, 0)
