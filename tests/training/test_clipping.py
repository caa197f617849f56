from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.training.clipping import Clipping, global_norm, innermost

GRADIENTS = [np.array([[3.0, 4.0]], "float32"), np.array([12.0], "float32")]


def clipped(scale=1.0, **options):
    gradients = [None, *[keras.ops.convert_to_tensor(one * scale) for one in GRADIENTS]]
    clipping = Clipping(keras.optimizers.SGD(0.1, **options))
    found = clipping.clip(gradients, global_norm(gradients) / scale, scale)
    assert found[0] is None
    return [keras.ops.convert_to_numpy(one) / scale for one in found[1:]]


def test_the_norm_is_of_all_gradients_together():
    assert float(global_norm([None, *map(keras.ops.convert_to_tensor, GRADIENTS)])) == pytest.approx(13.0)


# Of the norms 5 and 12, together 13. A loss scale must change nothing.
@pytest.mark.parametrize("scale", [1.0, 1024.0])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ([3.0, 4.0], [12.0])),
        ({"global_clipnorm": 1.3}, ([0.3, 0.4], [1.2])),
        ({"global_clipnorm": 20.0}, ([3.0, 4.0], [12.0])),
        ({"clipnorm": 6.0}, ([3.0, 4.0], [6.0])),
        ({"clipvalue": 3.5}, ([3.0, 3.5], [3.5])),
    ],
)
def test_by_hand(scale, options, expected):
    for found, wanted in zip(clipped(scale, **options), expected, strict=True):
        np.testing.assert_allclose(found.ravel(), wanted, rtol=1e-5)


def test_the_optimizer_no_longer_clips_and_gets_it_back_for_a_moment():
    optimizer = keras.optimizers.Adam(global_clipnorm=0.5)
    clipping = Clipping(optimizer)
    assert optimizer.global_clipnorm is None
    with clipping.given_back():
        assert optimizer.get_config()["global_clipnorm"] == 0.5
    assert optimizer.global_clipnorm is None


def test_compiling_again_with_the_same_optimizer_clips_again():
    optimizer = keras.optimizers.SGD(0.1, global_clipnorm=1.3)
    Clipping(optimizer)
    gradients = [keras.ops.convert_to_tensor(one) for one in GRADIENTS]
    found = Clipping(optimizer).clip(gradients, global_norm(gradients))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found[1]), [1.2], rtol=1e-5)


def test_a_loss_scaling_optimizer_is_looked_through():
    inner = keras.optimizers.SGD(0.1, clipvalue=1.0)
    Clipping(keras.optimizers.LossScaleOptimizer(inner))
    assert inner.clipvalue is None
    assert innermost(inner) is inner
