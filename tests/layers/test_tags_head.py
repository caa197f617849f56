"""Logits over tags."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import TagsHead
from kt2t.losses import CrossEntropy

HIDDEN = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
SEGMENTS = np.array([[1, 1, 2, 0], [1, 0, 0, 0]], "int32")


def test_a_tags_head_never_predicts_padding():
    layer = check_layer(
        lambda **k: TagsHead(3, **k),
        HIDDEN,
        SEGMENTS,
        shape=(2, 4, 4),
        weights={"dense.kernel": (6, 3), "dense.bias": (3,)},
    )
    logits = numbers(forward(layer)(HIDDEN))
    np.testing.assert_allclose(logits[..., 0], logits[..., 1:].max(-1) - 30, atol=1e-5)
    np.testing.assert_allclose(logits[..., 1:], HIDDEN @ numbers(layer.dense.kernel), atol=1e-5)


def test_padding_takes_no_probability_and_smoothing_stays_finite():
    tags = np.array([[[1.0, -2.0, 0.5]]], "float32")
    layer = TagsHead(3)
    layer.build((1, 1, 3))
    layer.dense.set_weights([np.eye(3), np.zeros(3)])
    ids = np.array([[2]], "int32")
    surprise = np.log(np.exp(tags).sum()) + 2.0
    assert numbers(CrossEntropy().call(ids, layer(tags)))[0, 0] == pytest.approx(surprise, rel=1e-6)
    assert 0 < numbers(CrossEntropy(0.1).call(ids, layer(tags)))[0, 0] < 10


def test_the_answer_is_a_tag_at_each_real_position():
    logits = np.array([[[9, 0, 1, 0], [0, 3, 1, 2]], [[0, 0, 0, 1], [9, 1, 0, 0]]], "float32")
    assert numbers(TagsHead(3).answer(logits)).tolist() == [[2, 1], [3, 1]]
    assert numbers(TagsHead(3).answer(logits, np.array([[1, 2], [1, 0]], "int32"))).tolist() == [[2, 1], [3, 0]]


def test_there_is_at_least_one_tag():
    with pytest.raises(ValueError, match="num_classes: 0"):
        TagsHead(0)
