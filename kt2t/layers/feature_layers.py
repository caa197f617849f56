"""Where features meet hidden states: `embed` reads a field, `head` predicts one, both chosen by the feature's class."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from kt2t.features import Audio, Feature, Image, Label, MultiLabel, Numbers, Tags, Text
from kt2t.layers.token_embedding import TokenEmbedding
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any
NEVER = 30.0


def embed(feature: Feature, hidden_dim: int, **kwargs: Any) -> keras.layers.Layer:
    """The layer that turns a field into vectors: `Text` (batch, time, hidden_dim), `Label` (batch, hidden_dim).

    Args:
        feature: What the field is.
        hidden_dim: Width of a vector.
        kwargs: Keras's own options of a layer, such as `dtype`.

    Raises:
        ValueError: Nothing reads this kind of feature yet.
    """
    return _embed(feature, hidden_dim, **kwargs)


def head(feature: Feature, **kwargs: Any) -> keras.layers.Layer:
    """The layer that turns hidden states into logits for a field: `Text`, `Tags` one set a position, `Label` one a row.

    Args:
        feature: What is predicted.
        kwargs: Options of the head, and Keras's own.

    Raises:
        ValueError: Nothing predicts this kind of feature yet.
    """
    return _head(feature, **kwargs)


@register
class LabelEmbedding(keras.layers.Layer):
    """A row of a table for a class of the whole example, such as the language to translate into.

    Shapes:
        labels (batch,) int32 → (batch, hidden_dim)

    Args:
        num_classes: Rows of the table.
        hidden_dim: Width of a vector.

    Raises:
        ValueError: A size is not positive.

    Source: Tensor2Tensor's target-space embedding, a table with uniform fan-average initialisation.
    """

    def __init__(self, num_classes: int, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = positive("num_classes", num_classes)
        self.hidden_dim = positive("hidden_dim", hidden_dim)

    def build(self, input_shape: Any = None) -> None:
        self.table = self.add_weight(
            shape=(self.num_classes, self.hidden_dim), initializer="glorot_uniform", name="table"
        )

    def call(self, labels: Tensor) -> Tensor:
        return ops.cast(ops.take(self.table, labels, axis=0), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, self.hidden_dim)


@register
class TextHead(keras.layers.Layer):
    """Logits over a vocabulary at each position, with a table of its own and no bias.

    Shapes:
        hidden (…, hidden_dim) → (…, vocabulary_size)

    Args:
        vocabulary_size: Number of ids, padding and end included.

    Raises:
        ValueError: `vocabulary_size` is not positive.

    Source: Press and Wolf 2017 without the tying; N(0, hidden_dim^-0.5) initialisation as in Tensor2Tensor.
    """

    def __init__(self, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = positive("vocabulary_size", vocabulary_size)

    def build(self, input_shape: Any) -> None:
        # Rows are ids, as in the embedding: a tied and an untied table are alike.
        self.table = self.add_weight(
            shape=(self.vocabulary_size, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=input_shape[-1] ** -0.5),
            name="table",
        )

    def call(self, hidden: Tensor) -> Tensor:
        return ops.matmul(hidden, ops.transpose(self.table))


@register
class TagsHead(keras.layers.Layer):
    """Logits over the tags at each position; id 0, padding, is never predicted.

    Padding's logit is 30 below the largest of the position: in float32 that changes no other probability, and unlike an
    infinite one it leaves a loss with label smoothing finite. No gradient flows through it.

    Shapes:
        hidden (batch, time, hidden_dim) → (batch, time, num_classes + 1)

    Args:
        num_classes: How many tags there are, padding not counted.

    Raises:
        ValueError: `num_classes` is not positive.

    Source: the linear layer of Collobert et al. 2011, section 3.1.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = positive("num_classes", num_classes)
        self.dense = keras.layers.Dense(num_classes, dtype=self.dtype_policy)

    def build(self, hidden_shape: tuple[int | None, ...], segments_shape: Any = None) -> None:
        self.dense.build(hidden_shape)

    def call(self, hidden: Tensor, segments: Tensor | None = None) -> Tensor:
        tags = self.dense(hidden)
        padding = ops.stop_gradient(ops.max(tags, axis=-1, keepdims=True)) - NEVER
        return ops.concatenate([padding, tags], axis=-1)


@register
class LabelHead(keras.layers.Layer):
    """Logits over the classes of a whole example: the mean over its positions, then a linear layer.

        y = W · mean(h_t) + b

    Shapes:
        hidden (batch, time, hidden_dim), segments (batch, time) int32 or None → (batch, num_classes)

    Args:
        num_classes: How many classes there are.
        include_padding: Whether the mean goes over padding too, as in Tensor2Tensor.

    Raises:
        ValueError: `num_classes` is not positive.

    Source: Tensor2Tensor's class-label top. Departs: padding is left out unless `include_padding`.
    """

    def __init__(self, num_classes: int, include_padding: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = positive("num_classes", num_classes)
        self.include_padding = include_padding
        self.dense = keras.layers.Dense(num_classes, dtype=self.dtype_policy)

    def build(self, hidden_shape: tuple[int | None, ...], segments_shape: Any = None) -> None:
        self.dense.build((hidden_shape[0], hidden_shape[-1]))

    def call(self, hidden: Tensor, segments: Tensor | None = None) -> Tensor:
        wide = ops.cast(hidden, "float32")
        if segments is None or self.include_padding:
            pooled = ops.mean(wide, axis=1)
        else:
            weights = ops.cast(ops.expand_dims(ops.greater(segments, 0), -1), "float32")
            pooled = ops.sum(wide * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)
        return self.dense(ops.cast(pooled, self.compute_dtype))

    def compute_output_shape(self, hidden_shape: tuple[int | None, ...], segments_shape: Any = None) -> Any:
        return (hidden_shape[0], self.num_classes)


@functools.singledispatch
def _embed(feature: Any, hidden_dim: int, **kwargs: Any) -> keras.layers.Layer:
    raise ValueError(_refusal(feature, "Reading"))


@_embed.register
def _(feature: Text, hidden_dim: int, **kwargs: Any) -> keras.layers.Layer:
    return TokenEmbedding(feature.vocabulary_size, hidden_dim, **kwargs)


@_embed.register
def _(feature: Label, hidden_dim: int, **kwargs: Any) -> keras.layers.Layer:
    return LabelEmbedding(feature.num_classes, hidden_dim, **kwargs)


@functools.singledispatch
def _head(feature: Any, **kwargs: Any) -> keras.layers.Layer:
    raise ValueError(_refusal(feature, "Predicting"))


@_head.register
def _(feature: Text, **kwargs: Any) -> keras.layers.Layer:
    return TextHead(feature.vocabulary_size, **kwargs)


@_head.register
def _(feature: Tags, **kwargs: Any) -> keras.layers.Layer:
    return TagsHead(feature.num_classes, **kwargs)


@_head.register
def _(feature: Label, **kwargs: Any) -> keras.layers.Layer:
    return LabelHead(feature.num_classes, **kwargs)


def _refusal(feature: Any, doing: str) -> str:
    if isinstance(feature, dict):
        return (
            f"features: {doing} a dict of fields ({', '.join(map(str, feature))}) is not built yet; give one feature."
        )
    known = (Text, Tags, Label, MultiLabel, Image, Audio, Numbers)
    kind = type(feature).__name__ if isinstance(feature, known) else repr(feature)
    return f"features: {doing} {kind} is not built yet."
