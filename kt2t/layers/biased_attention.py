"""The base class of self attention whose logits have a bias by distance."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.layers.attention import Attention
from kt2t.layers.cache import Cache

Tensor = Any


class BiasedAttention(Attention):
    """Base class of self attention that adds a bias, without weights, for the distance between query and key.

        output = softmax(q_i · k_j / √d_h + bias(j - i)) · v_j

    A subclass defines `bias`. In a packed row two positions of one example are as far apart as in a row of its own.

    Shapes:
        x (batch, time, dim), mask (batch or 1, time or 1, time) → (batch, time, output_dim)
    """

    takes_front = False

    def bias(self, distance: Tensor) -> Tensor:
        """Computes the bias of each distance j - i in float32.

        Shapes:
            distance (query, key) int32 → (heads or 1, query, key)
        """
        raise NotImplementedError(f"{type(self).__name__} must define bias(distance).")

    def build(self, x_shape: Any, memory_shape: Any = None) -> None:
        if memory_shape is not None:
            name = type(self).__name__
            raise ValueError(f"attention: {name} is self attention, and cannot read a memory. Use Attention.")
        super().build(x_shape)

    def _means(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Any, cache: Cache | None, training: Any
    ) -> Tensor:
        if cache is None:
            place = ops.arange(ops.shape(key)[2], dtype="int32")
            distance = ops.expand_dims(place, 0) - ops.expand_dims(place, 1)
        else:
            distance = ops.expand_dims(cache.positions() - ops.cast(cache.position, "int32"), 0)
        logits = ops.cast(ops.matmul(query, ops.swapaxes(key, -1, -2)), "float32")
        weights = self._weights(logits + self.bias(distance), mask, training)
        return ops.matmul(ops.cast(weights, value.dtype), value)
