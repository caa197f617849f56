"""Decoding by sampling."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.decoding.single import Single
from kt2t.ops.randomness import Seed
from kt2t.registry import register

Tensor = Any
_NEVER = -1.0e9
# Distance between the noise of two draws: 2^32 over the golden ratio, so that no sequence reaches the next draw's noise.
_FAR = -1640531535


@register
class Sample(Single):
    """Samples each next id from the model's distribution.

        p(id) ∝ exp(logit / temperature) over the ids that `top_k` and `top_p` leave

    An id is drawn by adding Gumbel noise to the logits and taking the largest. The noise of each row and position depends
    only on `seed` and on the argument `draw` of `generate`, so the same call draws the same ids. The score is the
    log-probability under the model's own distribution.

    Shapes:
        logits (batch, 1, vocabulary_size) → ids (batch, 1, time), scores (batch, 1) in nats

    Args:
        temperature: Below 1 sharpens the distribution, above 1 flattens it.
        top_k: Only this many most probable ids can be drawn; None for all.
        top_p: Only the most probable ids that together reach this probability can be drawn; None for all.
        seed: Seed of the noise.
        extra_length: Decoding stops this many tokens after the source's length.

    Raises:
        ValueError: An option is out of its range.

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
