"""A model that trains and decodes in a fraction of a Transformer's time, for tests in which the model is not the point.

A recipe names it `toy_model.Toy`: `conftest.py` puts this folder on the path of the tests and of the processes they start.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

import kt2t
from kt2t.decoding.decodes import Decodes
from kt2t.layers import Cache, TokenEmbedding
from kt2t.layers.dropout import Dropout
from kt2t.models.model import Model, segments_of
from kt2t.ops.segments import shift_right


@kt2t.register
class Toy(Decodes, Model):
    """Each token from the one before it and the mean of the inputs, through dense layers with dropout.

    Shapes:
        features of text → logits (batch, time, vocabulary_size)

    Raises:
        ValueError: `hidden_dim` is not positive.
    """

    takes_packed_rows = False

    def __init__(
        self, features: Any, num_layers: int = 1, hidden_dim: int = 16, dropout: float = 0.1, **kwargs: Any
    ) -> None:
        super().__init__(features, **kwargs)
        if hidden_dim < 1:
            raise ValueError(f"hidden_dim: {hidden_dim} is not positive.")
        dtype = self.dtype_policy.name
        self.targets_embedding, self.inputs_embedding = (
            TokenEmbedding(self.features[name].vocabulary_size, hidden_dim, dtype=dtype)
            for name in ("targets", "inputs")
        )
        self.blocks = [keras.layers.Dense(hidden_dim, "tanh", dtype=dtype) for _ in range(num_layers)]
        self.dropout = Dropout(dropout, dtype=dtype)

    def call(self, features: Any, training: bool | None = None) -> Any:
        memory = self.encode(features, training=training)
        before = shift_right(self.targets_embedding(features["targets"]), segments_of(features, "targets"))
        return self._logits(before, memory, training)

    def encode(self, features: Any, training: bool | None = False) -> Any:
        states = self.inputs_embedding(features["inputs"])
        count = ops.sum(ops.cast(segments_of(features, "inputs") > 0, states.dtype), axis=1, keepdims=True)
        return ops.sum(states, axis=1) / ops.maximum(count, 1)

    def start(self, memory: Any, features: Any, length: int, beams: int) -> Cache:
        cache = Cache(ops.shape(memory)[0], length, beams)
        cache.remember("inputs", memory)
        return cache

    def step(self, ids: Any, position: Any, cache: Cache) -> tuple[Any, Cache]:
        return self._logits(self.targets_embedding(ids), cache.read("inputs"), False), cache

    def _logits(self, before: Any, memory: Any, training: bool | None) -> Any:
        x = before + ops.expand_dims(memory, 1)
        for block in self.blocks:
            x = x + self.dropout(block(x), training=training)
        return self.targets_embedding.logits(x)
