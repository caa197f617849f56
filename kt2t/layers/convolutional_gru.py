"""A gated recurrent unit that updates all positions at once, each from its neighbours."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.registry import register

Tensor = Any


@register
class ConvolutionalGRU(Sequence):
    """One step of a GRU whose state is the whole sequence, and whose products are convolutions over time.

        r = σ(R * x + b_r),   u = σ(U * x + b_u),   y = u ⊙ x + (1 - u) ⊙ tanh(C * (r ⊙ x) + b_c)

    b_r and b_u start at 1, so that at first most of the state stays. Convolutions stay within each example. Gates and state
    are computed in float32 whatever the dtype policy, because a unit that is applied many times would add up roundings.

    Shapes:
        x (batch, time, filters), segments (batch, time) int32 or None → (batch, time, filters)

    Args:
        filters: Width of the state.
        kernel_size: Number of positions that a position is updated from.
        padding: same: those on both sides; causal: the position and earlier ones, so that the layer can decode step by step.

    Raises:
        ValueError: A size is not positive, `padding` is unknown, x has another width than `filters`, the layer gets a
            memory, or a layer with "same" padding is asked to decode.

    Source: Kaiser and Sutskever 2016, section 2.
    """

    first_biases = (1.0, 1.0, 0.0)
    saturation_weight = 0.0  # what the excess that `advance` returns counts in the loss

    def __init__(
        self, filters: int, kernel_size: int = 3, padding: Literal["same", "causal"] = "same", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        make = partial(DilatedConvolution, filters, kernel_size, padding=padding, dtype=self.dtype_policy)
        self.reset, self.update, self.candidate = (make(first_bias=bias) for bias in self.first_biases)

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        if x_shape[-1] != self.filters:
            raise ValueError(f"filters: {self.filters} is not the width of x, {x_shape[-1]}. Choose the same.")
        for convolution in (self.reset, self.update, self.candidate):
            convolution.build(x_shape)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if memory is not None:
            raise ValueError(
                f"memory: {type(self).__name__} reads no memory. Join it to the sequence outside the layer."
            )
        y, excess = self.advance(x, segments, cache, training)
        if self.saturation_weight and cache is None:
            real = ops.ones_like(excess) if segments is None else ops.cast(ops.greater(segments, 0), "float32")
            self.add_loss(self.saturation_weight * ops.sum(excess * real) / ops.maximum(ops.sum(real), 1.0))
        return ops.cast(y, self.compute_dtype)

    def advance(
        self, x: Tensor, segments: Tensor | None = None, cache: Cache | None = None, training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Computes the next state, and by how much the inputs of hard activations exceed their limits; adds no loss.

        Shapes:
            x (batch, time, filters) → (batch, time, filters) float32, (batch, time) float32: sums over channels
        """
        x = ops.cast(x, "float32")
        reset, update = self._product("reset", x, segments, cache), self._product("update", x, segments, cache)
        candidate = self._product("candidate", self.gate(reset) * x, segments, cache)
        kept = self.gate(update)
        y = kept * self.carried(x, segments) + (1.0 - kept) * self.proposed(candidate, training)
        return y, self.excess(reset, update, candidate)

    def start(self, memory: Memory | None, cache: Cache) -> None:
        for name in ("reset", "update", "candidate"):
            getattr(self, name).start(memory, cache.child(name))

    def gate(self, x: Tensor) -> Tensor:
        """Turns the input of a gate into a number from 0 to 1."""
        return ops.sigmoid(x)

    def proposed(self, x: Tensor, training: bool | None) -> Tensor:
        """Turns the input of the candidate into the candidate."""
        return ops.tanh(x)

    def carried(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Returns the old state as the update gate reads it."""
        return x

    def excess(self, *inputs: Tensor) -> Tensor:
        """Sums over channels how far the inputs of activations exceed their limits: here they have none."""
        return ops.zeros_like(inputs[0][..., 0])

    def _product(self, name: str, x: Tensor, segments: Tensor | None, cache: Cache | None) -> Tensor:
        return ops.cast(getattr(self, name)(x, segments, cache=cache and cache.child(name)), "float32")
