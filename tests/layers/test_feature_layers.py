"""Features are read and predicted by the layers of their class."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t import features
from kt2t.layers import LabelEmbedding, LabelHead, TagsHead, TextHead, TokenEmbedding, embed, head
from kt2t.losses import CrossEntropy

HIDDEN = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
SEGMENTS = np.array([[1, 1, 2, 0], [1, 0, 0, 0]], "int32")
LABELS = np.array([2, 0], "int32")


def test_text_is_embedded_token_by_token():
    check_layer(lambda **k: embed(features.Text(7), 6, **k), SEGMENTS, shape=(2, 4, 6), weights={"table": (7, 6)})


def test_the_feature_chooses_the_class():
    assert isinstance(embed(features.Text(7), 6), TokenEmbedding)
    assert isinstance(embed(features.Label(7), 6), LabelEmbedding)
    assert isinstance(head(features.Text(7)), TextHead)
    assert isinstance(head(features.Tags(7)), TagsHead)
    assert isinstance(head(features.Label(7)), LabelHead)


def test_a_label_is_a_row_of_a_table():
    layer = check_layer(lambda **k: embed(features.Label(3), 6, **k), LABELS, shape=(2, 6), weights={"table": (3, 6)})
    np.testing.assert_allclose(numbers(layer(LABELS)), numbers(layer.table)[LABELS])
    wide = embed(features.Label(32), 512)
    wide.build((None,))
    bound = np.sqrt(6 / 544)
    assert np.abs(numbers(wide.table)).max() <= bound
    assert numbers(wide.table).std() == pytest.approx(bound / np.sqrt(3), rel=0.03)


def test_a_text_head_has_no_bias_and_starts_like_an_embedding():
    layer = check_layer(lambda **k: head(features.Text(7), **k), HIDDEN, shape=(2, 4, 7), weights={"table": (7, 6)})
    np.testing.assert_allclose(numbers(layer(HIDDEN)), HIDDEN @ numbers(layer.table).T, atol=1e-5)
    wide = head(features.Text(1000))
    wide.build((None, None, 64))
    assert numbers(wide.table).std() == pytest.approx(1 / 8, rel=0.02)


def test_a_tags_head_never_predicts_padding():
    layer = check_layer(
        lambda **k: head(features.Tags(3), **k),
        HIDDEN,
        shape=(2, 4, 4),
        weights={"dense.kernel": (6, 3), "dense.bias": (3,)},
    )
    logits = numbers(layer(HIDDEN))
    np.testing.assert_allclose(logits[..., 0], logits[..., 1:].max(-1) - 30, atol=1e-5)
    np.testing.assert_allclose(logits[..., 1:], HIDDEN @ numbers(layer.dense.kernel), atol=1e-5)


def test_padding_takes_no_probability_and_smoothing_stays_finite():
    tags = np.array([[[1.0, -2.0, 0.5]]], "float32")
    layer = head(features.Tags(3))
    layer.build((1, 1, 3))
    layer.dense.set_weights([np.eye(3), np.zeros(3)])
    ids = np.array([[2]], "int32")
    surprise = np.log(np.exp(tags).sum()) + 2.0
    assert numbers(CrossEntropy().call(ids, layer(tags)))[0, 0] == pytest.approx(surprise, rel=1e-6)
    assert 0 < numbers(CrossEntropy(0.1).call(ids, layer(tags)))[0, 0] < 10


def test_a_label_head_pools_over_real_positions():
    layer = check_layer(
        lambda **k: head(features.Label(3), **k),
        HIDDEN,
        SEGMENTS,
        shape=(2, 3),
        weights={"dense.kernel": (6, 3), "dense.bias": (3,)},
    )
    layer.dense.bias.assign([1.0, 2.0, 3.0])
    pooled = np.stack([HIDDEN[0, :3].mean(0), HIDDEN[1, :1].mean(0)])
    expected = pooled @ numbers(layer.dense.kernel) + [1, 2, 3]
    np.testing.assert_allclose(numbers(layer(HIDDEN, SEGMENTS)), expected, atol=1e-5)
    np.testing.assert_allclose(numbers(layer(HIDDEN, segments=SEGMENTS)), expected, atol=1e-5)


def test_a_row_of_padding_gives_finite_logits():
    assert np.isfinite(numbers(head(features.Label(3))(HIDDEN, 0 * SEGMENTS))).all()


def test_with_padding_the_label_head_is_tensor2tensors(golden):
    z = golden("transformer_encoder_cls")
    top = "transformer_encoder/class_label_modality_3_16/class_label_modality_3_16/dense"
    layer = head(features.Label(3), include_padding=True)
    hidden = z["mid/body_out"][:, :, 0]
    layer.build(hidden.shape)
    layer.dense.set_weights([z[f"var/{top}/kernel"], z[f"var/{top}/bias"]])
    segments = (z["in/inputs"][:, :, 0, 0] > 0).astype("int32")
    np.testing.assert_allclose(numbers(layer(hidden, segments)), z["out/logits"][:, 0, 0, 0], atol=2e-5)


@pytest.mark.parametrize(
    "feature",
    [features.MultiLabel(3), features.Image(8, 8), features.Audio(), features.Numbers(4)],
    ids=lambda feature: type(feature).__name__,
)
def test_what_is_not_built_yet_says_so(feature):
    name = type(feature).__name__
    with pytest.raises(ValueError, match=f"Reading {name} is not built yet"):
        embed(feature, 8)
    with pytest.raises(ValueError, match=f"Predicting {name} is not built yet"):
        head(feature)


def test_tags_are_not_read_and_dicts_are_not_predicted():
    with pytest.raises(ValueError, match="Reading Tags is not built yet"):
        embed(features.Tags(3), 8)
    with pytest.raises(ValueError, match=r"Predicting a dict of fields \(heads, labels\) is not built yet"):
        head({"heads": features.Text(5), "labels": features.Text(5)})
    with pytest.raises(ValueError, match="num_classes: 0"):
        LabelHead(0)
