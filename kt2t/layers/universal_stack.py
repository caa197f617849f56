"""The stack of a Universal Transformer: the same blocks again and again."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory
from kt2t.layers.recurrence import BasicRecurrence, Recurrence
from kt2t.layers.transformer_stack import TransformerStack
from kt2t.options import positive
from kt2t.registry import build, describe, register

Tensor = Any


@register
class UniversalStack(TransformerStack):
    """Applies the same Transformer blocks in every one of several steps, which share all their weights.

    Before each step positions and a learned vector of the step are added to the states:

        x_t = recurrence(x_(t-1), blocks(x_(t-1) + positions + √hidden_dim · steps[t]))

    Shapes:
        x (batch, time, hidden_dim), segments (batch, time) int32 or None, memory or None → (batch, time, hidden_dim)

    Args:
        block: Prototype of a block.
        num_layers: Number of different blocks that each step applies in order.
        num_steps: Number of steps.
        recurrence: Prototype of the way in which steps follow each other; `BasicRecurrence` unless given.
        common: The other options of `TransformerStack`.

    Raises:
        ValueError: A size is not positive, or `recurrence` is none.

    Source: Dehghani et al. 2019 (Universal Transformers), section 2; learned vectors of the steps as in Tensor2Tensor.
    """

    def __init__(
        self, block: Any, num_layers: int = 1, num_steps: int = 6, recurrence: Any = None, **common: Any
    ) -> None:
        recurrence = BasicRecurrence() if recurrence is None else recurrence
        if not isinstance(recurrence, Recurrence):
            raise ValueError(
                f"recurrence: {type(recurrence).__name__} is no recurrence. BasicRecurrence and AdaptiveRecurrence are two."
            )
        if recurrence.is_transition:
            block = build({**describe(block), "feed_forward": None})
        super().__init__(block, num_layers, **common)
        self.num_steps = positive("num_steps", num_steps)
        self.recurrence = build(describe(recurrence), dtype=self.dtype_policy.name)

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes the vectors of the steps; each sublayer makes its own weights in the first call."""
        hidden_dim = int(x_shape[-1])
        self.recurrence.prepare(hidden_dim, self.num_steps, self.norm and describe(self.norm), self.dropout.rate)
        self.steps = None
        if self.recurrence.has_step_signal:
            self.steps = self.add_weight(
                shape=(self.num_steps, hidden_dim),
                initializer=keras.initializers.RandomNormal(stddev=hidden_dim**-0.5),
                name="steps",
            )

    def start(self, memory: Memory | None, cache: Cache) -> None:
        if not self.recurrence.can_decode:
            raise ValueError(
                f"recurrence: {type(self.recurrence).__name__} reads later positions, so it cannot decode."
            )
        attended = memory.states if memory is not None and self.reads_memory else None
        for step in range(self.num_steps):
            for level, block in enumerate(self.layers):
                block.start(attended, cache.child(step).child(level))
        self._start_front(memory, cache)

    def _run(
        self,
        x: Tensor,
        places: Tensor | None,
        memory: Tensor | None,
        mask: Any,
        memory_mask: Any,
        cache: Any,
        training: Any,
    ) -> Tensor:
        """Runs all steps in order, in training and in decoding."""
        real = ops.greater(mask.segments, 0) if hasattr(mask, "segments") else None
        where = real if self.include_padding else None
        segments = mask.segments if real is not None and not self.include_padding else None
        options = {"mask": mask, "memory_mask": memory_mask, "real": where, "training": training}
        carried = self.recurrence.begin(self.dropout(x, training=training))
        for step in range(self.num_steps):
            prepared = self.positions(self.recurrence.read(carried, step), places)
            if self.steps is not None:
                prepared = prepared + ops.cast(self.steps[step] * prepared.shape[-1] ** 0.5, prepared.dtype)
            transformed = self._through_blocks(prepared, memory, cache and cache.child(step), options)
            carried = self.recurrence(carried, prepared, transformed, segments=segments, step=step, training=training)
        x = self.recurrence.result(carried, real, cache is None, training)
        return x if self.norm is None else self.norm(x)
