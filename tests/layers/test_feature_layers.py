"""`embed` and `head` choose a layer by the feature's class, a user's own class included."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, forward, numbers

import kt2t
from kt2t import features
from kt2t.layers import (
    AudioEmbedding,
    FeatureMapEmbedding,
    ImageEmbedding,
    ImageHead,
    LabelEmbedding,
    LabelHead,
    MultiLabelHead,
    NumbersEmbedding,
    NumbersHead,
    TagsHead,
    TextHead,
    TokenEmbedding,
    embed,
    head,
)
from kt2t.registry import describe, register

IDS = np.array([[3, 1, 2, 0], [1, 0, 0, 0]], "int32")


@register
class Angle(features.Feature):
    """A kind of feature that kt2t does not know: an angle in degrees, (batch,) float32."""

    dtype = "float32"

    def __init__(self, turns: int = 1) -> None:
        self.turns = turns


@register
class AngleEmbedding(keras.layers.Layer):
    """Sine and cosine of the angle, stretched to `hidden_dim`."""

    def __init__(self, hidden_dim: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim

    def call(self, value, segments=None):
        radians = keras.ops.expand_dims(value, -1) * np.pi / 180
        return keras.ops.repeat(
            keras.ops.concatenate([keras.ops.sin(radians), keras.ops.cos(radians)], -1), self.hidden_dim // 2, -1
        )


@kt2t.layers.embed.register
def _(feature: Angle, hidden_dim: int, **kwargs):
    return AngleEmbedding(hidden_dim, **kwargs)


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        (features.Text(7), TokenEmbedding),
        (features.Tags(7), TokenEmbedding),
        (features.Label(7), LabelEmbedding),
        (features.MultiLabel(7), NumbersEmbedding),
        (features.Numbers(7), NumbersEmbedding),
        (features.Image(8, 8), ImageEmbedding),
        (features.Audio(8000), AudioEmbedding),
    ],
    ids=repr,
)
def test_the_feature_chooses_the_embedding(feature, kind):
    layer = embed(feature, 6, name="here")
    assert type(layer) is kind and layer.hidden_dim == 6 and layer.name == "here"


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        (features.Text(7), TextHead),
        (features.Tags(7), TagsHead),
        (features.Label(7), LabelHead),
        (features.MultiLabel(7), MultiLabelHead),
        (features.Numbers(7), NumbersHead),
        (features.Image(8, 8), ImageHead),
    ],
    ids=repr,
)
def test_the_feature_chooses_the_head(feature, kind):
    assert type(head(feature, name="here")) is kind


def test_options_of_the_field_reach_its_layer():
    assert describe(embed(features.Image(8, 8), 6, patch=2)) == {"type": "ImageEmbedding", "hidden_dim": 6, "patch": 2}
    sound = describe(embed(features.Audio(8000, 20), 6))
    assert sound == {"type": "AudioEmbedding", "hidden_dim": 6, "rate": 8000, "milliseconds": 20}
    picture = describe(head(features.Image(4, 5, 1)))
    assert picture == {"type": "ImageHead", "height": 4, "width": 5, "channels": 1}


def test_tags_are_read_like_text_with_one_id_more_for_padding():
    layer = check_layer(lambda **k: embed(features.Tags(3), 6, **k), IDS, shape=(2, 4, 6), weights={"table": (4, 6)})
    assert (numbers(forward(layer)(IDS))[IDS == 0] == 0).all()


def test_a_users_own_kind_of_feature_needs_one_file():
    layer = embed(Angle(), 4)
    np.testing.assert_allclose(numbers(forward(layer)(np.array([30.0], "float32"))), [[0.5, 0.5, 3**0.5 / 2, 3**0.5 / 2]], 1e-6)
    assert describe(layer) == {"type": f"{__name__}.AngleEmbedding", "hidden_dim": 4}
    with pytest.raises(ValueError, match=r"no layer can predict Audio"):
        head(features.Audio())
    with pytest.raises(ValueError, match=r"no layer can predict Angle\(turns=1\).*kt2t\.layers\.head\.register"):
        head(Angle())


def test_encoded_files_are_neither_read_nor_predicted():
    with pytest.raises(ValueError, match="no layer can read Encoded.*form of storage.*`transform` decodes"):
        embed(features.Encoded(), 8)
    with pytest.raises(ValueError, match="no layer can predict Encoded.*form of storage"):
        head(features.Encoded())


def test_only_kinds_with_a_map_are_read_as_one():
    assert embed(features.Image(8, 8), 8, as_map=True).spectrogram is None
    sound = embed(features.Audio(8000, 20), 8, as_map=True, dtype="mixed_bfloat16")
    assert type(sound) is FeatureMapEmbedding and sound.spectrogram.rate == 8000
    assert sound.spectrogram.compute_dtype == "bfloat16"
    for feature in (features.Text(7), features.Tags(7), features.Label(7), features.Numbers(7), features.MultiLabel(7)):
        with pytest.raises(ValueError, match=r"has no feature map \(batch, height, width, channels\)"):
            embed(feature, 8, as_map=True)


def test_what_is_no_feature_is_refused():
    with pytest.raises(ValueError, match=r"one layer cannot predict a dict of fields \(heads, labels\)"):
        head({"heads": features.Text(5), "labels": features.Text(5)})
    with pytest.raises(ValueError, match="'text' is no feature"):
        embed("text", 8)
