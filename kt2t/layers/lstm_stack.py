"""LSTMs on top of one another."""

from __future__ import annotations

from typing import Any, Literal

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.lstm import LSTM
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.ops.positions import reversal
from kt2t.ops.segments import last_positions
from kt2t.options import one_of, positive
from kt2t.registry import register

Tensor = Any


@register
class LSTMStack(Sequence):
    """A stack of LSTM layers with dropout on the input of each.

    As an encoder it may read every example from its end to its beginning, and may return the whole state of all layers,
    from which a decoder starts. As a decoder it starts from that state at every example (`memory="start"`), or reads a
    memory as the beginning of its own sequence (`memory="front"`).

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, memory or None → (batch, time, units), or
        (batch, time, 2 · num_layers · units) with `returns_state`: c and h of every layer, from the lowest

    Args:
        num_layers: Number of LSTM layers.
        units: Width of each layer's state.
        dropout: Probability of zeroing an element of a layer's input, in training only.
        reverse: Whether the positions of each example are read in reversed order. The output is in that order, too.
        returns_state: Whether the output is the state of all layers after each position.
        memory: start: each example starts from the memory's state after its last position; front: the memory is read
        first.

    Raises:
        ValueError: A size is not positive, or `memory` is unknown.

    Source: Sutskever et al. 2014, which also reverses the source; Tensor2Tensor's lstm_seq2seq.
    """

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
        self.layers = [LSTM(units, dtype=self.dtype_policy) for _ in range(positive("num_layers", num_layers))]
        self.dropouts = [Dropout(dropout, dtype=self.dtype_policy) for _ in self.layers]
        self.units = units
        self.reverse = reverse
        self.returns_state = returns_state
        self.memory = one_of("memory", memory, ("start", "front"))

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        """Makes no weights: each sublayer makes its own in the first call."""

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
        if self.reverse:
            x = ops.take_along_axis(x, ops.expand_dims(reversal(segments), 2), axis=1)
        if memory is None or self.memory == "start":
            states = self._states(x, segments, memory and _at_ends(memory, segments), training)
            return self._output(states)
        rows = ops.shape(memory.segments)[1]
        x = ops.concatenate([memory.states, x], axis=1)
        segments = ops.concatenate([memory.segments, segments], axis=1)
        return self._output(self._states(x, segments, None, training))[:, rows:]

    def start(self, memory: Memory | None, cache: Cache) -> None:
        initial: list[Any] = [None] * len(self.layers)
        if memory is not None and self.memory == "start":
            initial = self._parts(_at_ends(memory, ops.ones_like(memory.segments[:, :1])))
        elif memory is not None:
            initial = [state[:, -1:] for state in self._states(*memory, None, False)]
        for level, state in enumerate(initial):
            value = None if state is None else state[:, 0]
            cache.keep(f"states.{level}", (2 * self.units,), "float32", value)

    def _states(self, x: Tensor, segments: Tensor, initial: Tensor | None, training: bool | None) -> list[Tensor]:
        """Runs all layers; returns for each layer its c and h after each position, (batch, time, 2 · units)."""
        starts = [None] * len(self.layers) if initial is None else self._parts(initial)
        found = []
        for layer, dropout, start in zip(self.layers, self.dropouts, starts, strict=True):
            found.append(layer(dropout(x, training=training), segments, start))
            x = found[-1][..., self.units :]
        return found

    def _step(self, x: Tensor, cache: Cache) -> Tensor:
        """Decodes one position of every beam: x (batch, beams, dim)."""
        found = []
        for level, layer in enumerate(self.layers):
            found.append(layer.advance(x, cache.read(f"states.{level}")))
            cache.write(f"states.{level}", found[-1])
            x = found[-1][..., self.units :]
        return self._output(found)

    def _output(self, states: list[Tensor]) -> Tensor:
        states = states if self.returns_state else [states[-1][..., self.units :]]
        return ops.cast(ops.concatenate(states, axis=-1), self.compute_dtype)

    def _parts(self, state: Tensor) -> list[Tensor]:
        return list(ops.split(state, len(self.layers), axis=-1))


def _at_ends(memory: Memory, segments: Tensor) -> Tensor:
    """Finds, for each position, the state of the memory after the last position of the same example.

    Shapes:
        segments (batch, time) → (batch, time, dim)
    """
    last = last_positions(memory.segments)
    number = ops.minimum(segments, ops.shape(last)[1] - 1)
    places = ops.take_along_axis(last, number, axis=1)
    return ops.take_along_axis(memory.states, ops.expand_dims(places, 2), axis=1)
