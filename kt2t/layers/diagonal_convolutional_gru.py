"""A convolutional GRU that moves parts of its state by one position at each step."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.convolutional_gru import ConvolutionalGRU
from kt2t.layers.dropout import Dropout
from kt2t.ops import saturation
from kt2t.ops.segments import shift_left, shift_right
from kt2t.registry import register

Tensor = Any


@register
class DiagonalConvolutionalGRU(ConvolutionalGRU):
    """A `ConvolutionalGRU` of hard activations, whose update gate also carries state from both neighbours.

        y = u ⊙ shift(x) + (1 - u) ⊙ dropout(hard_tanh(C * (r ⊙ x) + b_c)),   r, u = hard_sigmoid(…)

    `shift` leaves a third of the channels in place (and the rest, if 3 does not divide `filters`), fills a third with the
    state of the position before, and a third with that of the position after; zeros enter at the ends of an example. So state
    can travel over the sequence with nothing but an open gate. b_r starts at 0.5, b_u at 0.7.

    Hard activations have no gradient beyond their limits. A loss keeps their inputs z within them; it goes through
    `add_loss`: saturation_weight · Σ_channels max(0, |z| - 0.9), summed over r, u and the candidate, its mean over the real
    positions.

    Shapes:
        x (batch, time, filters), segments (batch, time) int32 or None → (batch, time, filters)

    Args:
        filters: Width of the state.
        kernel_size: Number of positions that a position is updated from.
        dropout: Probability of zeroing an element of the candidate, in training only.
        saturation_weight: Coefficient of the loss.

    Raises:
        ValueError: `filters` is below 3, `kernel_size` not positive, the layer gets a memory, or it is asked to decode.

    Source: Freivalds and Liepins 2018, section 3. Departs: `saturation_weight` is constant; theirs follows the loss and the
    learning rate. Tensor2Tensor's diagonal_conv_gru shifts along the wrong axis and has a soft candidate.
    """

    fills_in = ("padding",)
    first_biases = (0.5, 0.7, 0.0)

    def __init__(
        self, filters: int, kernel_size: int = 3, dropout: float = 0.0, saturation_weight: float = 1e-3, **kwargs: Any
    ) -> None:
        super().__init__(filters, kernel_size, "same", **kwargs)
        if filters < 3:
            raise ValueError(f"filters: {filters} channels have no thirds that move. Choose 3 or more.")
        self.saturation_weight = saturation_weight
        self.dropout = Dropout(dropout, dtype="float32")

    def gate(self, x: Tensor) -> Tensor:
        return saturation.hard_sigmoid(x)

    def proposed(self, x: Tensor, training: bool | None) -> Tensor:
        return self.dropout(saturation.hard_tanh(x), training=training)

    def carried(self, x: Tensor, segments: Tensor | None) -> Tensor:
        third = self.filters // 3
        stay, right, left = ops.split(x, [self.filters - 2 * third, self.filters - third], axis=-1)
        return ops.concatenate([stay, shift_right(right, segments), shift_left(left, segments)], axis=-1)

    def excess(self, *inputs: Tensor) -> Tensor:
        return sum(ops.sum(saturation.excess(x), axis=-1) for x in inputs)
