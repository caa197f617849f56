"""Logits over the classes of a whole example."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import LabelHead

HIDDEN = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
SEGMENTS = np.array([[1, 1, 2, 0], [1, 0, 0, 0]], "int32")


def test_a_label_head_pools_over_real_positions():
    layer = check_layer(
        lambda **k: LabelHead(3, **k),
        HIDDEN,
        SEGMENTS,
        shape=(2, 3),
        weights={"dense.kernel": (6, 3), "dense.bias": (3,)},
    )
    layer.dense.bias.assign([1.0, 2.0, 3.0])
    pooled = np.stack([HIDDEN[0, :3].mean(0), HIDDEN[1, :1].mean(0)])
    expected = pooled @ numbers(layer.dense.kernel) + [1, 2, 3]
    np.testing.assert_allclose(numbers(forward(layer)(HIDDEN, SEGMENTS)), expected, atol=1e-5)
    np.testing.assert_allclose(numbers(forward(layer)(HIDDEN, segments=SEGMENTS)), expected, atol=1e-5)


def test_a_row_of_padding_gives_finite_logits():
    assert np.isfinite(numbers(LabelHead(3)(HIDDEN, 0 * SEGMENTS))).all()


def test_a_label_is_predicted_from_a_map_too():
    layer = LabelHead(3)
    maps = layer(HIDDEN.reshape(2, 2, 2, 6))
    np.testing.assert_allclose(numbers(maps), numbers(forward(layer)(HIDDEN)), atol=1e-6)


def test_with_padding_the_label_head_is_tensor2tensors(golden):
    z = golden("transformer_encoder_cls")
    top = "transformer_encoder/class_label_modality_3_16/class_label_modality_3_16/dense"
    layer = LabelHead(3, include_padding=True)
    hidden = z["mid/body_out"][:, :, 0]
    layer.build(hidden.shape)
    layer.dense.set_weights([z[f"var/{top}/kernel"], z[f"var/{top}/bias"]])
    segments = (z["in/inputs"][:, :, 0, 0] > 0).astype("int32")
    np.testing.assert_allclose(numbers(forward(layer)(hidden, segments)), z["out/logits"][:, 0, 0, 0], atol=2e-5)


def test_the_answer_is_the_likeliest_class():
    assert numbers(LabelHead(3).answer(np.array([[0, 2, 1], [5, -1, 3]], "float32"))).tolist() == [1, 0]


def test_there_is_at_least_one_class():
    with pytest.raises(ValueError, match="num_classes: 0"):
        LabelHead(0)
