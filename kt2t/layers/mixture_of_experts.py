"""The sparse mixture of experts with noisy top-k gating."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.experts import Experts
from kt2t.layers.time_windows import row_of
from kt2t.ops.experts import noisy_top_k, squared_variation
from kt2t.ops.randomness import layer_seed
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class MixtureOfExperts(keras.layers.Layer):
    """Feed-forward network of many experts, of which a learned, noisy gate chooses k for each position.

        y = Σ_{e in the k largest h} softmax_k(h)_e · expert_e(x),   h = x · W_g + noise · (softplus(x · W_n) + 0.01)

    The noise is standard normal, and drawn in training only. Two losses keep the use of the experts even; they go
    through `add_loss`: loss_weight · (CV²(importance) + CV²(load)), where CV² is variance / mean² over the experts,
    importance the sum of an expert's weights, and load a smooth count of its positions.

    Every position is computed by k experts, however many choose the same one: nothing is dropped, and a position does
    not depend on other positions, beams or rows. Padding gets no expert.

    Shapes:
        x (batch, time, hidden_dim), mask as a `SegmentMask` or a padding mask (batch, time) or None, real (batch, time)
        boolean or None → (batch, time, hidden_dim), 0 in padding

    Args:
        num_experts: Number of experts.
        intermediate_dim: Width inside each expert.
        k: Number of experts of a position.
        noisy: Whether the gate has noise in training.
        loss_weight: Coefficient of both losses.
        dropout: Probability of zeroing an inner unit of an expert, in training only.

    Raises:
        ValueError: A size is not positive, or there are fewer experts than k.

    Source: Shazeer et al. 2017, sections 2.1 and 4, appendix A; the experts, ReLU networks without biases, and the
    numbers are those of Tensor2Tensor's local_moe. The losses are of each replica's and micro-batch's own part.
    """

    reads_segments = True

    def __init__(
        self,
        num_experts: int,
        intermediate_dim: int,
        k: int = 2,
        noisy: bool = True,
        loss_weight: float = 1e-2,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_experts = check_experts(num_experts, k)
        self.k = k
        self.noisy = noisy
        self.loss_weight = loss_weight
        self.experts = Experts(num_experts, intermediate_dim, dropout, scaled=True, dtype=self.dtype_policy)
        self.seed_generator = keras.random.SeedGenerator() if noisy else None

    def build(self, x_shape: Any, *further: Any, **others: Any) -> None:
        shape = (x_shape[-1], self.num_experts)
        self.gate = self.add_weight(shape=shape, initializer="zeros", name="gate")
        self.noise = self.add_weight(shape=shape, initializer="zeros", name="noise") if self.noisy else None

    def call(
        self,
        x: Tensor,
        mask: Any = None,
        cache: Cache | None = None,
        real: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        segments, _ = row_of(mask)
        if real is None and segments is not None:
            real = ops.greater(segments, 0)
        flat = ops.reshape(x, (-1, x.shape[-1]))
        real = None if real is None else ops.reshape(real, (-1,))
        chosen, weights, importance, load = self.choices(ops.cast(flat, "float32"), real, self._drawn(flat, training))
        if cache is None:
            self.add_loss(self.loss_weight * (squared_variation(importance) + squared_variation(load)))
        return ops.reshape(self.experts(flat, chosen, weights, training=training), ops.shape(x))

    def choices(
        self, x: Tensor, real: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns for rows x (rows, dim) what `noisy_top_k` does, with this layer's gate and the given noise."""
        clean = ops.matmul(x, ops.cast(self.gate, "float32"))
        if noise is None:
            return noisy_top_k(clean, self.k, real=real)
        deviation = ops.softplus(ops.matmul(x, ops.cast(self.noise, "float32"))) + 0.01
        return noisy_top_k(clean, self.k, deviation, noise, real)

    def compute_mask(self, x: Tensor, previous_mask: Any = None) -> Any:
        """Returns Keras's padding mask of x, since the output has the same padding."""
        return previous_mask

    def _drawn(self, x: Tensor, training: bool | None) -> Tensor | None:
        if not training or not self.noisy:
            return None
        shape = (ops.shape(x)[0], self.num_experts)
        return keras.random.normal(shape, dtype="float32", seed=layer_seed(self) or self.seed_generator)


def check_experts(num_experts: int, k: int) -> int:
    """Returns `num_experts`.

    Raises:
        ValueError: A number is not positive, or there are fewer experts than `k`.
    """
    positive("k", k)
    if positive("num_experts", num_experts) < k:
        raise ValueError(f"num_experts: {num_experts} is fewer than the k = {k} of each position. Choose {k} or more.")
    return num_experts
