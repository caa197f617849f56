"""The mixture with noisy top-k gating."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, MixtureOfExperts
from kt2t.ops import randomness
from kt2t.ops.masks import SegmentMask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 0, 0]], "int32")


def made(**options):
    layer = MixtureOfExperts(3, 6, **options)
    layer(X)
    for weight in layer.weights:
        weight.assign(RANDOM.normal(size=weight.shape).astype("float32"))
    return layer


def test_it_is_a_layer_like_any():
    shapes = {"experts.narrow": (3, 6, 4), "experts.widen": (3, 4, 6), "gate": (4, 3)}
    make = lambda **options: MixtureOfExperts(3, 6, noisy=False, **options)  # noqa: E731
    check_layer(make, X, shape=X.shape, weights=shapes, bfloat16=False)


def test_noise_is_a_function_of_the_step():
    layer = made()
    randomness.name_layers(layer)

    def train(step):
        with randomness.root(5, step):
            return numbers(forward(layer)(X, training=True))

    np.testing.assert_array_equal(train(3), train(3))
    assert np.abs(train(3) - train(4)).max() > 1e-3
    np.testing.assert_array_equal(numbers(forward(layer)(X)), numbers(forward(layer)(X, training=False)))


def test_padding_gets_no_expert_and_packed_is_padded():
    layer = made()
    found = numbers(forward(layer)(X, mask=SegmentMask(PACKED)))
    assert (found[PACKED == 0] == 0).all() and (np.abs(found[PACKED > 0]).max(-1) > 0).all()
    np.testing.assert_allclose(found[PACKED > 0], numbers(forward(layer)(X))[PACKED > 0], atol=1e-5)


def test_losses_count_real_positions_alone():
    layer = made(loss_weight=0.5)
    layer(X, mask=SegmentMask(PACKED))
    (loss,) = layer.losses
    _, _, importance, load = (numbers(one) for one in layer.choices(X[PACKED > 0]))
    wanted = sum(values.var() / values.mean() ** 2 for values in (importance, load))
    np.testing.assert_allclose(float(loss), 0.5 * wanted, rtol=1e-4)


def test_steps_of_beams_are_the_whole():
    layer = made()
    whole, cache = numbers(layer(X)), Cache(batch=2, length=6, beams=3)
    for time in range(6):
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="num_experts: 2 is fewer than the k = 3"):
        MixtureOfExperts(2, 6, k=3)
    with pytest.raises(ValueError, match="k: 0"):
        MixtureOfExperts(2, 6, k=0)
