"""A yes or no for each class of a whole example."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import MultiLabelHead

HIDDEN = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
SEGMENTS = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], "int32")


def test_there_is_a_logit_for_each_class_from_the_mean_over_real_positions():
    layer = check_layer(
        lambda **k: MultiLabelHead(3, **k),
        HIDDEN,
        SEGMENTS,
        shape=(2, 3),
        weights={"dense.kernel": (6, 3), "dense.bias": (3,)},
    )
    pooled = np.stack([HIDDEN[0, :3].mean(0), HIDDEN[1, 0]])
    np.testing.assert_allclose(numbers(forward(layer)(HIDDEN, SEGMENTS)), pooled @ numbers(layer.dense.kernel), atol=1e-5)


def test_the_answer_is_yes_above_one_half():
    answer = numbers(MultiLabelHead(3).answer(np.array([[-0.1, 0.1, 5.0], [2.0, -3.0, 0.0]], "float32")))
    assert answer.dtype == np.float32 and answer.tolist() == [[0, 1, 1], [1, 0, 0]]


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="num_classes: 0"):
        MultiLabelHead(0)
