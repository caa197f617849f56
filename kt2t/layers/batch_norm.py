"""Batch normalization."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.ops.keras_masks import segments_or_mask
from kt2t.ops.whole_batch import rows_that_count, summed_over_replicas
from kt2t.options import below_one
from kt2t.registry import register

Tensor = Any


@register
class BatchNorm(keras.layers.Layer):
    """Normalizes each channel by its mean and variance over the batch, then scales and shifts.

        y = γ · (x - μ) / √(σ² + ε) + β

    In training μ and σ² are those of the batch, over all axes but the last one. Positions whose segment is 0 (or, without
    segments, whose mask is False) and rows that weigh nothing, such as those that fill up a batch, do not count. The sums
    run over all replicas, so several replicas give the numbers of one device. Otherwise μ and σ² are moving averages:

        μ̄ ← m · μ̄ + (1 - m) · μ,  σ̄² ← m · σ̄² + (1 - m) · σ²

    kt2t's trainer updates them once for each step whose gradients are finite.

    A layer that is frozen (`trainable = False`) uses the moving averages in training too, and keeps them.

    The layer couples the examples of a batch, so results depend on how a batch is split in one case: with `micro_batches`
    each part of a replica's share is normalized by its own statistics, and the moving averages take the mean over all
    parts, weighted by their rows. Everything is computed in float32.

    Shapes:
        x (batch, …, channels), segments (batch, time) for x (batch, time, …, channels) or None, mask (batch, time) boolean
        or None → as x

    Args:
        momentum: m, the share of the moving averages that a step keeps.
        epsilon: ε, added to the variance.
        center: Whether to add the learned shift β.
        scale: Whether to multiply by the learned scale γ.

    Raises:
        ValueError: `momentum` is not in [0, 1), or `epsilon` is not positive.

    Source: Ioffe and Szegedy 2015, algorithms 1 and 2. Departs: the variance of the moving average is the biased one, as
        in Keras.
    """

    def __init__(
        self,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise ValueError(f"epsilon: {epsilon} is not positive.")
        self.momentum = below_one("momentum", momentum)
        self.epsilon = epsilon
        self.center, self.scale = center, scale
        self.beta: Any = None
        self.gamma: Any = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1],)
        if self.scale:
            self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma", autocast=False)
        if self.center:
            self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta", autocast=False)
        kept = {"shape": shape, "dtype": "float32", "trainable": False, "autocast": False}
        kept["aggregation"] = "only_first_replica"  # the trainer gives all of them the same value
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **kept)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **kept)

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        training: bool | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        wide = ops.cast(x, "float32")
        segments = segments_or_mask(x, segments, mask)
        if training and self.trainable:
            mean, variance = self._statistics(wide, segments)
        else:
            mean, variance = ops.convert_to_tensor(self.moving_mean), ops.convert_to_tensor(self.moving_variance)
        factor = ops.rsqrt(variance + self.epsilon)
        if self.scale:
            factor = factor * self.gamma
        y = (wide - mean) * factor
        if self.center:
            y = y + self.beta
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...], **kwargs: Any) -> tuple[int | None, ...]:
        return input_shape

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask

    def _statistics(self, x: Tensor, segments: Tensor | None) -> tuple[Tensor, Tensor]:
        """Computes each channel's mean and variance over the whole batch, and updates the moving averages."""
        counts = self._counts(x, segments)
        axes = tuple(range(len(x.shape) - 1))
        # Where nothing counts, 0 · inf must not become a number that is none.
        total = ops.sum(ops.where(counts, x, 0.0), axis=axes)
        number = ops.sum(ops.cast(ops.broadcast_to(counts, (*ops.shape(x)[:-1], 1)), "float32"))
        total, number = summed_over_replicas([total, number])
        mean = ops.divide_no_nan(total, number)
        (squares,) = summed_over_replicas([ops.sum(ops.where(counts, ops.square(x - mean), 0.0), axis=axes)])
        variance = ops.divide_no_nan(squares, number)
        for average, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            before = ops.convert_to_tensor(average)
            moved = self.momentum * before + (1 - self.momentum) * ops.stop_gradient(now)
            average.assign(ops.where(number > 0, moved, before))
        return mean, variance

    def _counts(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Returns a boolean mask of the positions that enter the statistics; it broadcasts to the axes of x."""
        axes = len(x.shape)
        counts = ops.ones((1,) * axes, dtype="bool")
        rows = rows_that_count()
        if rows is not None:
            counts = ops.logical_and(counts, ops.reshape(rows, (-1,) + (1,) * (axes - 1)))
        if segments is not None:
            real = ops.greater(segments, 0)
            counts = ops.logical_and(counts, ops.reshape(real, (*ops.shape(real), *(1,) * (axes - len(real.shape)))))
        return counts
