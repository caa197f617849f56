"""Random decoding."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.decoding.single import Single
from kt2t.ops.randomness import Seed
from kt2t.registry import register

Tensor = Any
_NEVER = -1.0e9
# Between the places of two draws: 2^32 over the golden ratio, so that sequences of no length meet another draw's noise.
_FAR = -1640531535


@register
class Sample(Single):
    """Draws each next id from the model's distribution, sharpened or cut.

        p(id) ∝ exp(logit / temperature) over the ids that `top_k` and `top_p` leave

    Drawing is by adding Gumbel noise and taking the largest. Every row and position has noise of its own, a function of
    `seed` and of the `draw` that `generate` is told, so that the same call draws the same. The score stays the
    log-probability under the model itself.

    Shapes:
        logits (batch, 1, vocabulary_size) → ids (batch, 1, time), scores (batch, 1) in nats

    Args:
        temperature: Below 1 sharpens the distribution, above 1 flattens it.
        top_k: How many of the most probable ids may be drawn; None for all.
        top_p: Only the most probable ids that together reach this probability may be drawn; None for all.
        seed: Of the noise.
        extra_length: In tokens beyond the source's length, after which decoding stops.

    Raises:
        ValueError: An option out of its range.

    Source: Fan et al. 2018 (top k), Holtzman et al. 2020 (top p).
    """

    def __init__(
        self,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        extra_length: int = 50,
    ) -> None:
        super().__init__(extra_length)
        if temperature <= 0:
            raise ValueError(f"temperature: {temperature} is not positive. Greedy() is the limit at 0.")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k: {top_k} leaves nothing to draw.")
        if top_p is not None and not 0 < top_p <= 1:
            raise ValueError(f"top_p: {top_p} is not a probability above 0.")
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.seed = seed

    def pick(self, logits: Tensor, position: Tensor, draw: Tensor = 0) -> Tensor:
        logits = self._cut(logits / self.temperature)
        dtype = keras.backend.random_seed_dtype() if hasattr(keras.backend, "random_seed_dtype") else "uint32"
        place = ops.cast(position, "int32") + ops.cast(draw, "int32") * _FAR
        seed = Seed(ops.stack([ops.cast(self.seed, dtype), ops.cast(place, dtype)]))
        uniform = keras.random.uniform(ops.shape(logits), minval=1e-20, maxval=1.0, seed=seed)
        return ops.argmax(logits - ops.log(-ops.log(uniform)), axis=-1)

    def _cut(self, logits: Tensor) -> Tensor:
        if self.top_k is not None:
            least = ops.top_k(logits, min(self.top_k, logits.shape[-1]))[0][:, -1:]
            logits = ops.where(logits < least, _NEVER, logits)
        if self.top_p is not None:
            falling = ops.flip(ops.sort(logits, axis=-1), axis=-1)
            probability = ops.softmax(falling, axis=-1)
            before = ops.cumsum(probability, axis=-1) - probability
            kept = ops.sum(ops.cast(before < self.top_p, "int32"), axis=-1, keepdims=True)
            least = ops.take_along_axis(falling, ops.maximum(kept, 1) - 1, axis=-1)
            logits = ops.where(logits < least, _NEVER, logits)
        return logits
