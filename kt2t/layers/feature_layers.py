"""The layers that read and predict a field, chosen by the class of its feature: `embed` and `head`.

Both are `functools.singledispatch` functions. A new kind of feature registers its own layers:

    @kt2t.layers.embed.register
    def _(feature: Molecule, hidden_dim: int, **kwargs):
        return MoleculeEmbedding(feature.num_atoms, hidden_dim, **kwargs)

An embedding has `call(value, segments=None)` and `segments(value, segments=None)`: the segments of its output, of the
output's shape without the last axis. A head has `call(hidden, segments=None)` → logits and
`answer(logits, segments=None)` → the predicted value.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import keras

from kt2t.features import Audio, Encoded, Feature, Image, Label, MultiLabel, Numbers, Tags, Text
from kt2t.layers.audio_embedding import AudioEmbedding
from kt2t.layers.feature_map_embedding import FeatureMapEmbedding
from kt2t.layers.image_embedding import ImageEmbedding
from kt2t.layers.image_head import ImageHead
from kt2t.layers.label_embedding import LabelEmbedding
from kt2t.layers.label_head import LabelHead
from kt2t.layers.multi_label_head import MultiLabelHead
from kt2t.layers.numbers_embedding import NumbersEmbedding
from kt2t.layers.numbers_head import NumbersHead
from kt2t.layers.spectrogram import LogMelSpectrogram
from kt2t.layers.tags_head import TagsHead
from kt2t.layers.text_head import TextHead
from kt2t.layers.token_embedding import TokenEmbedding

_IS_STORAGE = (
    "features: no layer can {doing} Encoded(), which is a form of storage. Let `features()` say what `transform` decodes "
    "the bytes to, such as Image or Audio, and name Encoded in `stored()` only."
)


@functools.singledispatch
def embed(feature: Any, hidden_dim: int, as_map: bool = False, **kwargs: Any) -> keras.layers.Layer:
    """Makes the layer that turns a field into vectors: (batch, time, hidden_dim), and (batch, hidden_dim) for a Label.

    Args:
        feature: Describes the field.
        hidden_dim: Width of a vector.
        as_map: Whether the layer gives a feature map (batch, height, width, hidden_dim) for convolutions.
        kwargs: Options of the layer, and Keras's own such as `dtype`.

    Raises:
        ValueError: No layer reads this kind of feature, or it has no map.
    """
    raise ValueError(_refusal(feature, "embed", "read"))


@embed.register
def _(feature: Text, hidden_dim: int, as_map: bool = False, **kwargs: Any) -> keras.layers.Layer:
    _refuse_map(feature, as_map)
    return TokenEmbedding(feature.vocabulary_size, hidden_dim, **kwargs)


@embed.register
def _(feature: Tags, hidden_dim: int, as_map: bool = False, **kwargs: Any) -> keras.layers.Layer:
    _refuse_map(feature, as_map)
    return TokenEmbedding(feature.num_classes + 1, hidden_dim, **kwargs)


@embed.register
def _(feature: Label, hidden_dim: int, as_map: bool = False, **kwargs: Any) -> keras.layers.Layer:
    _refuse_map(feature, as_map)
    return LabelEmbedding(feature.num_classes, hidden_dim, **kwargs)


@embed.register(MultiLabel)
@embed.register(Numbers)
def _(feature: Feature, hidden_dim: int, as_map: bool = False, **kwargs: Any) -> keras.layers.Layer:
    _refuse_map(feature, as_map)
    return NumbersEmbedding(hidden_dim, **kwargs)


@embed.register
def _(feature: Image, hidden_dim: int, as_map: bool = False, **kwargs: Any) -> keras.layers.Layer:
    return FeatureMapEmbedding(hidden_dim, **kwargs) if as_map else ImageEmbedding(hidden_dim, **kwargs)


@embed.register
def _(feature: Audio, hidden_dim: int, as_map: bool = False, **kwargs: Any) -> keras.layers.Layer:
    if as_map:
        spectrogram = LogMelSpectrogram(feature.rate, dtype=kwargs.get("dtype"))
        return FeatureMapEmbedding(hidden_dim, spectrogram, **kwargs)
    return AudioEmbedding(hidden_dim, feature.rate, feature.milliseconds, **kwargs)


@embed.register
def _(feature: Encoded, hidden_dim: int, **kwargs: Any) -> keras.layers.Layer:
    raise ValueError(_IS_STORAGE.format(doing="read"))


@functools.singledispatch
def head(feature: Any, **kwargs: Any) -> keras.layers.Layer:
    """Makes the layer that turns hidden states into a prediction: one per position for Text, Tags and Image, else one per row.

    Args:
        feature: Describes the field that is predicted.
        kwargs: Options of the head, and Keras's own such as `dtype`.

    Raises:
        ValueError: No layer predicts this kind of feature.
    """
    raise ValueError(_refusal(feature, "head", "predict"))


@head.register
def _(feature: Text, **kwargs: Any) -> keras.layers.Layer:
    return TextHead(feature.vocabulary_size, **kwargs)


@head.register
def _(feature: Tags, **kwargs: Any) -> keras.layers.Layer:
    return TagsHead(feature.num_classes, **kwargs)


@head.register
def _(feature: Label, **kwargs: Any) -> keras.layers.Layer:
    return LabelHead(feature.num_classes, **kwargs)


@head.register
def _(feature: MultiLabel, **kwargs: Any) -> keras.layers.Layer:
    return MultiLabelHead(feature.num_classes, **kwargs)


@head.register
def _(feature: Numbers, **kwargs: Any) -> keras.layers.Layer:
    return NumbersHead(feature.size, **kwargs)


@head.register
def _(feature: Image, **kwargs: Any) -> keras.layers.Layer:
    return ImageHead(feature.height, feature.width, feature.channels, **kwargs)


@head.register
def _(feature: Encoded, **kwargs: Any) -> keras.layers.Layer:
    raise ValueError(_IS_STORAGE.format(doing="predict"))


def _refuse_map(feature: Feature, as_map: bool) -> None:
    if as_map:
        raise ValueError(
            f"features: {feature!r} has no feature map (batch, height, width, channels), so convolutions over a map "
            "cannot read it. Use a model of sequences."
        )


def _refusal(feature: Any, function: str, doing: str) -> str:
    if isinstance(feature, Mapping):
        return (
            f"features: one layer cannot {doing} a dict of fields ({', '.join(map(str, feature))}). Make one for each."
        )
    if not isinstance(feature, Feature):
        return f"features: {feature!r} is no feature. Give one of kt2t.features, such as Text(8000)."
    return (
        f"features: no layer can {doing} {feature!r}. Use another kind of feature, or add the layer with "
        f"kt2t.layers.{function}.register."
    )
