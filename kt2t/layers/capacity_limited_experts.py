"""The mixture of experts in which each expert takes a limited number of positions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.experts import Experts
from kt2t.layers.mixture_of_experts import check_experts
from kt2t.layers.time_windows import row_of
from kt2t.ops.experts import squared_variation
from kt2t.ops.positions import positions, positions_from_end
from kt2t.registry import register

Tensor = Any


@register
class CapacityLimitedExperts(keras.layers.Layer):
    """Feed-forward network of many experts: each position chooses two, and an expert takes so many of each example.

        y = Σ_{e in first, second} g_e / (g_first + g_second) · expert_e(x),   g = softmax(W · x + b)
        capacity = min(n, ⌊2 · n · overhead / num_experts⌋) of the n positions of an example

    First choices are served in the order of positions, then second choices. An expert that is expected to be full at a
    position, judging by its first choices in the whole example, is no second choice there. A choice without room is left
    out, and the rest counts in full; a position without any expert gets 0. The metric `over_capacity` is the share of
    choices that were left out. The loss loss_weight · CV² of each example's sums of g over the positions of an expert
    goes through `add_loss`. Padding gets no expert.

    With a limit, the experts of a position depend on later positions of its example, also in a causal decoder. Hence
    there is none outside training unless `evaluation_overhead` is given, and never in decoding with a cache: then a
    position does not depend on other positions, beams or rows.

    Shapes:
        x (batch, time, hidden_dim), mask as a `SegmentMask` or a padding mask (batch, time) or None, real (batch, time)
        boolean or None → (batch, time, hidden_dim), 0 in padding

    Args:
        num_experts: Number of experts, at least 2.
        intermediate_dim: Width inside each expert.
        overhead: Room of the experts in training, in multiples of an even share.
        evaluation_overhead: The same outside training, where Tensor2Tensor has 2.0; None for room for all.
        loss_weight: Coefficient of the loss.
        dropout: Probability of zeroing an inner unit of an expert, in training only.

    Raises:
        ValueError: A size is not positive, or there is one expert alone.

    Source: Tensor2Tensor's local_moe_tpu, after Shazeer et al. 2017. Departs: capacity is counted for each example, not
    with the padding of its row; where all experts are full there is no second choice, instead of one with g - 1 as
    weight.
    """

    reads_segments = True

    def __init__(
        self,
        num_experts: int,
        intermediate_dim: int,
        overhead: float = 1.0,
        evaluation_overhead: float | None = None,
        loss_weight: float = 1e-3,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_experts = check_experts(num_experts, 2)
        for option, value in (("overhead", overhead), ("evaluation_overhead", evaluation_overhead)):
            if value is not None and value <= 0:
                raise ValueError(f"{option}: {value} is not positive. An even share for every expert is 1.0.")
        self.overheads = (overhead, evaluation_overhead)
        self.loss_weight = loss_weight
        self.gate = keras.layers.Dense(num_experts, dtype="float32")
        self.experts = Experts(num_experts, intermediate_dim, dropout, dtype=self.dtype_policy)
        self.over_capacity = keras.metrics.Mean("over_capacity")

    def build(self, x_shape: Any, *further: Any, **others: Any) -> None:
        self.gate.build(x_shape)

    def call(
        self,
        x: Tensor,
        mask: Any = None,
        cache: Cache | None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        segments, _ = row_of(mask)
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32") if real is None else ops.cast(real, "int32")
        gates = ops.softmax(self.gate(ops.cast(x, "float32")), axis=-1)
        row = _Row(segments)
        overhead = self.overheads[0 if training else 1] if cache is None else None
        firsts, seconds, fits = self._choices(gates, row, overhead)
        if cache is None:
            self._watch(gates * (firsts * fits[0] + seconds * fits[1]), fits, row)
        chosen, weights = [], []
        for choice, fit in zip((firsts, seconds), fits, strict=True):
            weights.append(ops.sum(gates * choice, axis=2) * fit[..., 0])
            number = ops.cast(ops.argmax(choice, axis=2), "int32")
            chosen.append(ops.where(fit[..., 0] > 0, number, self.num_experts))
        total = weights[0] + weights[1] + 1e-9
        pairs = (ops.stack(chosen, axis=2), ops.stack([one / total for one in weights], axis=2))
        flat = ops.reshape(x, (-1, x.shape[-1]))
        y = self.experts(flat, *(ops.reshape(one, (-1, 2)) for one in pairs), training=training)
        return ops.reshape(y, ops.shape(x))

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Any:
        """Returns Keras's padding mask of x, since the output has the same padding."""
        return previous_mask

    def _choices(self, gates: Tensor, row: _Row, overhead: float | None) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Returns first and second choices (batch, time, experts), and for both whether they fit (batch, time, 1)."""
        firsts = self._best(gates) * row.real
        seconds = gates - firsts
        if overhead is None:
            seconds = self._best(seconds) * row.real
            return firsts, seconds, [row.real, row.real]
        capacity = ops.minimum(row.length, ops.floor(row.length * 2 * overhead / self.num_experts))
        kept = firsts * ops.cast(row.before(firsts) < capacity, "float32")
        count = row.total(kept)
        exhaustion = (capacity - count) * row.length / (count + 1.0)
        masked = gates - kept - ops.cast(row.place > exhaustion, "float32")
        is_open = ops.cast(ops.max(masked, axis=2, keepdims=True) > 0, "float32")
        seconds = self._best(masked) * row.real * is_open
        kept_seconds = seconds * ops.cast(row.before(seconds) + count < capacity, "float32")
        return firsts, seconds, [ops.sum(one, axis=2, keepdims=True) for one in (kept, kept_seconds)]

    def _best(self, values: Tensor) -> Tensor:
        return ops.one_hot(ops.argmax(values, axis=2), self.num_experts, dtype="float32")

    def _watch(self, used: Tensor, fits: list[Tensor], row: _Row) -> None:
        """Adds the loss, and counts the choices that found no room."""
        self.add_loss(self.loss_weight * squared_variation(row.total(used), row.is_last))
        left_out = 1.0 - ops.concatenate(fits, axis=2)
        self.over_capacity.update_state(left_out, ops.broadcast_to(row.real, ops.shape(left_out)))


class _Row:
    """Sums over the positions of each example of a row; all tensors are float32 with the axes (batch, time, …)."""

    def __init__(self, segments: Tensor) -> None:
        place, left = positions(segments), positions_from_end(segments)
        index = ops.expand_dims(ops.arange(ops.shape(segments)[1], dtype="int32"), 0)
        self._start, self._end = (ops.expand_dims(one, 2) for one in (index - place, index + left))
        wide = [ops.expand_dims(ops.cast(one, "float32"), 2) for one in (segments > 0, place, place + left + 1)]
        self.real, self.place, self.length = wide
        self.is_last = self.real * ops.expand_dims(ops.cast(ops.equal(left, 0), "float32"), 2)

    def before(self, values: Tensor) -> Tensor:
        """Sums the values at earlier positions of the same example."""
        sums = ops.cumsum(values, axis=1) - values
        return sums - ops.take_along_axis(sums, self._start, axis=1)

    def total(self, values: Tensor) -> Tensor:
        """Sums the values of the whole example."""
        sums = ops.cumsum(values, axis=1)
        return ops.take_along_axis(sums, self._end, axis=1) - ops.take_along_axis(sums - values, self._start, axis=1)
