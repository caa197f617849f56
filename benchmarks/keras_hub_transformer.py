"""A Transformer of KerasHub's layers, in training and in cached decoding, to measure kt2t against."""

from __future__ import annotations

import functools
from typing import Any

import keras
import keras_hub
import tensorflow as tf
from keras import ops

from kt2t.features import END
from kt2t.layers import LayerNorm


class KerasHubTransformer(keras.Model):
    """Pre-norm layers of KerasHub in the shape of kt2t's Transformer.

    They have biases in attention, other first weights there and a learned vector before the first target. They would drop
    attention weights as often as outputs; `attention_dropout` sets a rate of its own, for which the layers have no option.
    """

    def __init__(self, sizes: dict[str, Any], vocabulary_size: int, attention_dropout: float | None = None) -> None:
        super().__init__()
        epsilon, width, count = LayerNorm().epsilon, sizes["hidden_dim"], range(sizes["num_layers"])
        options: dict[str, Any] = {name: sizes[name] for name in ("intermediate_dim", "num_heads", "dropout")}
        options |= {"normalize_first": True, "layer_norm_epsilon": epsilon}
        normal = keras.initializers.RandomNormal(stddev=width**-0.5)
        self.embedding = keras_hub.layers.ReversibleEmbedding(vocabulary_size, width, embeddings_initializer=normal)
        self.places = keras_hub.layers.SinePositionEncoding(dtype="float32")  # bfloat16 makes its angles coarse
        self.dropout = keras.layers.Dropout(sizes["dropout"])
        self.encoder = [keras_hub.layers.TransformerEncoder(**options) for _ in count]
        self.decoder = [keras_hub.layers.TransformerDecoder(**options) for _ in count]
        self.encoder_norm, self.decoder_norm = (keras.layers.LayerNormalization(epsilon=epsilon) for _ in range(2))
        self({"inputs": ops.ones((1, 4), "int32"), "before": ops.ones((1, 4), "int32")})
        for block in (*self.encoder, *self.decoder) if attention_dropout is not None else ():
            for attention in (block._self_attention_layer, getattr(block, "_cross_attention_layer", None)):
                if attention is not None:
                    attention._dropout = attention._dropout_layer.rate = attention_dropout

    def call(self, features: dict[str, Any], training: bool | None = None) -> Any:
        """Logits behind each of the ids `before`, which are the targets shifted right."""
        memory, mask = self.encode(features["inputs"])
        x = self.embedded(features["before"])
        for block in self.decoder:
            x = block(x, memory, encoder_padding_mask=mask)
        return self.embedding(self.decoder_norm(x), reverse=True)

    def embedded(self, ids: Any, at: Any = 0) -> Any:
        x = self.embedding(ids) * self.embedding.output_dim**0.5
        return self.dropout(ops.add(x, self.places(x, start_index=at)))

    def encode(self, inputs: Any) -> tuple[Any, Any]:
        """The memory, and where it is no padding."""
        mask, x = inputs != 0, self.embedded(inputs)
        for block in self.encoder:
            x = block(x, padding_mask=mask)
        return self.encoder_norm(x), mask

    def step(self, last: Any, at: Any, memory: Any, mask: Any, caches: list[Any], first: bool = False) -> Any:
        """Logits (batch, ids) behind the ids `last` (batch, 1) at a position, and the caches with it."""
        x, kept = self.embedded(last, at), []
        for block, (own, cross) in zip(self.decoder, caches, strict=True):
            ours = {"self_attention_cache": own, "self_attention_cache_update_index": at}
            read = {"cross_attention_cache": cross, "cross_attention_cache_update_index": 0 if first else None}
            x, *new = block(x, memory, encoder_padding_mask=mask, **ours, **read)
            kept.append(tuple(new))
        return self.embedding(self.decoder_norm(x), reverse=True)[:, 0], kept

    def greedy(self, inputs: Any, length: int) -> Any:
        """Sources (batch, source), ids at most → 0 and what follows it (batch, 1 + ids)."""
        (rows, source), block = inputs.shape, self.decoder[0]
        memory, mask = self.encode(inputs)
        heads, width = block.num_heads, self.embedding.output_dim // block.num_heads
        caches = [
            tuple(ops.zeros((rows, 2, room, heads, width), block.compute_dtype) for room in (length, source))
            for _ in self.decoder
        ]
        answers = ops.zeros((rows, 1 + length), "int32")
        _, caches = self.step(answers[:, :1], 0, memory, mask, caches, first=True)

        def following(answers: Any, caches: Any, index: Any) -> tuple[Any, None, Any]:
            last = ops.slice(answers, (0, index - 1), (rows, 1))
            logits, caches = self.step(last, index - 1, memory, mask, caches)
            return logits, None, caches

        return keras_hub.samplers.GreedySampler()(following, answers, caches, index=1, stop_token_ids=[END])

    @functools.cached_property
    def compiled_greedy(self) -> Any:
        return tf.function(self.greedy, autograph=False)

    def answer(self, features: dict[str, Any], search: Any, draw: int = 0) -> dict[str, Any]:
        """Greedy answers as kt2t's `Model.answer` gives them, with as many ids at most as kt2t's search allows."""
        width = features["inputs"].shape[1]
        padded = tf.pad(features["inputs"], [(0, 0), (0, -width % 8)])  # few widths, and few graphs
        ids = self.compiled_greedy(padded, padded.shape[1] + search.extra_length).numpy()
        return {"values": ids[:, None, 1 : 1 + width + search.extra_length]}
