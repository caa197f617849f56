"""A recurrent decoder that reads a memory by attention and its own last attention as input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.memory import Memory
from kt2t.layers.memory_attention import MemoryAttention
from kt2t.layers.recurrent_stack import check_holds_states, check_is_stack
from kt2t.layers.sequence import Sequence
from kt2t.ops.masks import padding, same_segment
from kt2t.ops.recurrence import over_time
from kt2t.registry import build, describe, register

Tensor = Any


@register
class InputFeedingStack(Sequence):
    """A stack of recurrent layers that attends to a memory at every step; what it saw is part of the next step's input.

        s_t = stack([x_t; a_t-1], s_t-1),   a_t = attention(h_t, memory),   h_t = the output of the highest layer
        y_t = a_t, or W a_t + b where the attention has several heads

    At the start of an example a is zero, and s is the state with which the memory begins, at its last position. The
    attention reads the rest of the memory: the outputs of the encoder's highest layer (`returns_state`).

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, memory (batch, source, state_dim + any dim)
        → (batch, time, output_dim)

    Args:
        stack: Prototype of the recurrent layers, such as `LSTMStack`.
        attention: Prototype of the attention, such as `BahdanauAttention`.
        include_padding: Whether the attention sees padding of the memory, as zero vectors, as in Tensor2Tensor. Use it for
            weights that were trained so; the output then depends on the padded width of the batch.

    Raises:
        ValueError: A part is of another kind, there is no memory, or it is too narrow.

    Attributes:
        output_dim: Width of the output.

    Source: Luong et al. 2015, section 3.3; Tensor2Tensor's lstm_seq2seq_attention. Departs: padding of the memory is not
    seen, unless `include_padding`.
    """

    def __init__(self, stack: Any, attention: Any, include_padding: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_is_stack(stack)
        if not isinstance(attention, MemoryAttention):
            raise ValueError(
                f"attention: {type(attention).__name__} is no attention of a recurrent decoder. Use BahdanauAttention or "
                "LuongAttention."
            )
        dtype = self.dtype_policy.name
        self.stack = build(describe(stack), dtype=dtype)
        self.attention = build(describe(attention), dtype=dtype)
        self.include_padding = include_padding
        self._fed = self.attention.width(self.stack.units)
        has_heads = self.attention.num_heads > 1
        self.output_projection = keras.layers.Dense(self.stack.units, dtype=self.dtype_policy) if has_heads else None
        self.output_dim = self.stack.units if has_heads else self._fed

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        if memory_shape is None:
            raise ValueError("memory: InputFeedingStack attends to a memory, and there is none. Use LSTMStack.")
        check_holds_states(memory_shape[0][-1], self.stack)
        units, values_dim = self.stack.units, memory_shape[0][-1] - self.stack.state_dim
        if values_dim < 1:
            raise ValueError(
                "memory: the encoder returns its states and no outputs to attend to. Use a stack with returns_state=True."
            )
        widths = [x_shape[-1] + self._fed, *[units] * (len(self.stack.layers) - 1)]
        for layer, width in zip(self.stack.layers, widths, strict=True):
            layer.build((None, None, width))
        self.attention.build((None, None, units), (None, None, values_dim))
        if self.output_projection is not None:
            self.output_projection.build((None, None, self._fed))

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Any = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if cache is not None:
            return self._step(x, cache)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        keys, values = self._read(memory)
        inner, drops = self._inner(x, training)

        def step(now: Tensor, state: Tensor, here: Tensor) -> Tensor:
            mask = None if self.include_padding else same_segment(here, ops.cast(memory.segments, "float32"))
            attend = lambda h: self.attention.attend(h[:, None], keys, values, mask)[:, 0]  # noqa: E731
            return self._advance(now[:, : inner.shape[-1]], state, attend, now[:, inner.shape[-1] :])

        state_dim, together = self.stack.state_dim, ops.concatenate([inner, *drops], axis=-1)
        initial = ops.pad(self.stack.first_states(memory).at_ends(segments), [[0, 0], [0, 0], [0, self._fed]])
        states = over_time(step, together, segments, state_dim + self._fed, initial)
        mask = None if self.include_padding else same_segment(segments, memory.segments)
        self.attention.show(states[..., state_dim - self.stack.units : state_dim], keys, mask)
        return self._output(states)

    def start(self, memory: Any, cache: Cache) -> None:
        keys, values = self._read(memory)
        cache.remember("keys", keys)
        cache.remember("values", values)
        cache.remember("visible", ops.ones_like(memory.segments) if self.include_padding else memory.segments)
        state = self.stack.first_states(memory).at_end()
        width = self.stack.state_dim + self._fed
        cache.keep("state", (width,), "float32", ops.pad(state, [[0, 0], [0, self._fed]]))

    def _step(self, x: Tensor, cache: Cache) -> Tensor:
        """Decodes one position of every beam: x (batch, beams, dim)."""
        keys, values, mask = cache.read("keys"), cache.read("values"), padding(cache.read("visible"))
        attend = lambda h: self.attention.attend(h, keys, values, mask)  # noqa: E731
        state = self._advance(self.stack.layers[0].inner(x), cache.read("state"), attend)
        cache.write("state", state)
        return self._output(state)

    def _read(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """Returns the keys and values of the attention; they are zero at padding."""
        values = memory.states[..., self.stack.state_dim :]
        values = ops.where(ops.expand_dims(ops.greater(memory.segments, 0), 2), values, ops.zeros_like(values))
        return self.attention.keys(values), values

    def _inner(self, x: Tensor, training: bool | None) -> tuple[Tensor, list[Tensor]]:
        """Returns what the lowest layer makes of x, and the factors by which dropout multiplies each step's further inputs.

        Drawn here for all positions, since a draw inside of the loop would be the same at each.
        """
        lowest, drop = self.stack.layers[0], self.stack.dropouts[0]
        if not training or not drop.rate:
            return lowest.inner(x), []
        dim, shape = x.shape[-1], ops.shape(x)[:2]
        both = drop(ops.concatenate([x, ops.ones((*shape, self._fed), dtype=x.dtype)], axis=-1), training=True)
        ones = ops.ones((*shape, self.stack.units), dtype=x.dtype)
        drops = [both[..., dim:], *(further(ones, training=True) for further in self.stack.dropouts[1:])]
        return lowest.inner(both[..., :dim]), [ops.cast(one, "float32") for one in drops]

    def _advance(
        self, inner: Tensor, state: Tensor, attend: Callable[[Tensor], Tensor], drops: Tensor = None
    ) -> Tensor:
        """Computes the next state, the attention's output last: inner (…), state (…, state_dim + …) → as state."""
        stack = self.stack
        x, states = state[..., stack.state_dim :], stack.split(state[..., : stack.state_dim])
        found: list[Tensor] = []
        begun = 0
        for layer, before in zip(stack.layers, states, strict=True):
            if drops is not None and drops.shape[-1]:
                x = x * drops[..., begun : begun + x.shape[-1]]
                begun += x.shape[-1]
            whole = layer.inner(x) if found else inner + layer.added(x, layer.kernel.shape[0] - self._fed)
            found.append(layer.step(whole, before))
            x = layer.output(found[-1])
        return ops.concatenate([*found, ops.cast(attend(x), "float32")], axis=-1)

    def _output(self, state: Tensor) -> Tensor:
        y = ops.cast(state[..., self.stack.state_dim :], self.compute_dtype)
        return y if self.output_projection is None else self.output_projection(y)
