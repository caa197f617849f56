"""Recurrent layers on top of one another."""

from __future__ import annotations

from typing import Any, Literal

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.memory import Memory
from kt2t.layers.recurrent import Recurrent
from kt2t.layers.sequence import Sequence
from kt2t.ops.positions import reversal
from kt2t.options import one_of, positive

Tensor = Any


class RecurrentStack(Sequence):
    """Base class of stacks of recurrent layers, with dropout on the input of each; a subclass names its `kind` of layer.

    As an encoder it may read every example from its end to its beginning, and may return the whole state of all layers,
    from which a decoder starts. As a decoder it starts from that state at every example (`memory="start"`), or reads a
    memory as the beginning of its own sequence (`memory="front"`).

    The output of a position stands at that position, whatever the order of reading; at padding it is zero. States stand in
    the order of reading, so that the last position of an example has its final state.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, memory or None → (batch, time, units), or
        (batch, time, state_dim + units) with `returns_state`: the states of all layers from the lowest, then the output

    Args:
        num_layers: Number of recurrent layers.
        units: Width of each layer's output.
        dropout: Probability of zeroing an element of a layer's input, in training only.
        reverse: Whether the positions of each example are read from its end to its beginning.
        returns_state: Whether the output has the states of all layers, too.
        memory: start: each example starts from the state with which the memory begins, at its last position; front: the
            memory is read first.

    Raises:
        ValueError: A size is not positive, `memory` is unknown, or a memory is too narrow to hold the states.

    Attributes:
        kind: Class of the layers.
        state_dim: Width of the states of all layers together.
        output_dim: Width of the output, without states.
    """

    kind: type[Recurrent] = Recurrent

    def __init__(
        self,
        num_layers: int,
        units: int,
        dropout: float = 0.0,
        reverse: bool = False,
        returns_state: bool = False,
        memory: Literal["start", "front"] = "front",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.layers = [self.kind(units, dtype=self.dtype_policy) for _ in range(positive("num_layers", num_layers))]
        self.dropouts = [Dropout(dropout, dtype=self.dtype_policy) for _ in self.layers]
        self.units = units
        self.output_dim = units
        self.reverse = reverse
        self.returns_state = returns_state
        self.memory = one_of("memory", memory, ("start", "front"))
        self.state_dim = sum(layer.state_dim for layer in self.layers)

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""
        if memory_shape is not None and self.memory == "start":
            check_holds_states(memory_shape[0][-1], self)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if cache is not None:
            return self._step(x, cache)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        order = ops.expand_dims(reversal(segments), 2) if self.reverse else None
        if order is not None:
            x = ops.take_along_axis(x, order, axis=1)
        if memory is None or self.memory == "start":
            states = self._states(x, segments, memory and self.first_states(memory).at_ends(segments), training)
        else:
            rows = ops.shape(memory.segments)[1]
            x = ops.concatenate([memory.states, x], axis=1)
            together = ops.concatenate([memory.segments, segments], axis=1)
            states = [state[:, rows:] for state in self._states(x, together, None, training)]
        y = self.layers[-1].output(states[-1])
        if order is not None:
            y = ops.take_along_axis(y, order, axis=1)
        y = ops.where(ops.expand_dims(ops.greater(segments, 0), 2), y, 0.0)
        return self._output(states, y)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        initial: list[Any] = [None] * len(self.layers)
        if memory is not None and self.memory == "start":
            initial = self.split(self.first_states(memory).at_end())
        elif memory is not None:
            initial = [state[:, -1] for state in self._states(*memory, None, False)]
        for level, (layer, state) in enumerate(zip(self.layers, initial, strict=True)):
            cache.keep(f"states.{level}", (layer.state_dim,), "float32", state)

    def first_states(self, memory: Memory) -> Memory:
        """Returns the part of a memory that holds the states of all layers."""
        return Memory(memory.states[..., : self.state_dim], memory.segments)

    def split(self, state: Tensor) -> list[Tensor]:
        """Returns the states of the layers, from the lowest: (…, state_dim) → (…, state_dim of a layer) each."""
        return list(ops.split(state, len(self.layers), axis=-1))

    def _states(self, x: Tensor, segments: Tensor, initial: Tensor | None, training: bool | None) -> list[Tensor]:
        """Runs all layers; returns for each layer its state after each position, (batch, time, state_dim of a layer)."""
        starts = [None] * len(self.layers) if initial is None else self.split(initial)
        found = []
        for layer, dropout, start in zip(self.layers, self.dropouts, starts, strict=True):
            found.append(layer(dropout(x, training=training), segments, start))
            x = layer.output(found[-1])
        return found

    def _step(self, x: Tensor, cache: Cache) -> Tensor:
        """Decodes one position of every beam: x (batch, beams, dim)."""
        found = []
        for level, layer in enumerate(self.layers):
            found.append(layer.advance(x, cache.read(f"states.{level}")))
            cache.write(f"states.{level}", found[-1])
            x = layer.output(found[-1])
        return self._output(found, x)

    def _output(self, states: list[Tensor], y: Tensor) -> Tensor:
        whole = ops.concatenate([*states, y], axis=-1) if self.returns_state else y
        return ops.cast(whole, self.compute_dtype)


def check_holds_states(width: int, stack: RecurrentStack) -> None:
    """Raises a ValueError unless a memory of this width can begin with the states of the stack."""
    if width < stack.state_dim:
        raise ValueError(
            f"memory: the encoder returns {width} numbers for a position, and {type(stack).__name__} starts from "
            f"{stack.state_dim}. Give the encoder as many layers and units, and returns_state=True."
        )


def check_is_stack(stack: Any) -> None:
    """Raises a ValueError unless `stack` is a stack of recurrent layers."""
    if not isinstance(stack, RecurrentStack):
        raise ValueError(f"stack: {type(stack).__name__} is no stack of recurrent layers. Use LSTMStack or GRUStack.")
