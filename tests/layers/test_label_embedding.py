"""A vector for the class of a whole example."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import LabelEmbedding

LABELS = np.array([2, 0], "int32")


def test_a_label_is_a_row_of_a_table():
    layer = check_layer(lambda **k: LabelEmbedding(3, 6, **k), LABELS, shape=(2, 6), weights={"table": (3, 6)})
    np.testing.assert_allclose(numbers(forward(layer)(LABELS)), numbers(layer.table)[LABELS])
    assert numbers(layer.segments(LABELS)).tolist() == [1, 1]


def test_the_table_starts_uniform_with_glorots_bound():
    wide = LabelEmbedding(32, 512)
    wide.build((None,))
    bound = np.sqrt(6 / 544)
    assert np.abs(numbers(wide.table)).max() <= bound
    assert numbers(wide.table).std() == pytest.approx(bound / np.sqrt(3), rel=0.03)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="num_classes: 0"):
        LabelEmbedding(0, 6)
    with pytest.raises(ValueError, match="hidden_dim: -1"):
        LabelEmbedding(3, -1)
