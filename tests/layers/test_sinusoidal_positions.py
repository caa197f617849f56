"""The positions added are the sinusoids'."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, numbers

from kt2t.layers import SinusoidalPositions

X = np.random.default_rng(0).normal(size=(2, 13, 16)).astype("float32")


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: SinusoidalPositions(**k), X, shape=X.shape, weights={})
    check_layer(lambda **k: SinusoidalPositions("interleaved", **k), X, np.array([[5] * 13]), shape=X.shape)


def test_the_signal_is_tensor2tensors(golden):
    added = numbers(SinusoidalPositions()(X)) - X
    np.testing.assert_allclose(added, np.repeat(golden("layer_timing_signals")["out/y"], 2, axis=0), atol=2e-6)


def test_the_first_channels_alone_get_a_signal_where_that_is_asked_for(golden):
    """The signal of Tensor2Tensor's SliceNet: 16 timescales, so 32 channels, and zeros behind."""
    wanted = golden("layer_timing_signals")["out/conv_style_16"][:, :, 0]
    found = numbers(SinusoidalPositions(signal_dim=32)(np.zeros_like(wanted)))
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    np.testing.assert_array_equal(numbers(SinusoidalPositions(signal_dim=99)(X)), numbers(SinusoidalPositions()(X)))


def test_given_positions_are_used():
    positions = np.array([[0, 1, 2, 0], [3, 5, 0, 1]], "int32")
    x = np.zeros((2, 4, 6), "float32")
    whole = numbers(SinusoidalPositions("interleaved")(np.zeros((1, 6, 6), "float32")))[0]
    np.testing.assert_allclose(numbers(SinusoidalPositions("interleaved")(x, positions)), whole[positions], atol=1e-6)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="layout: 'mixed'"):
        SinusoidalPositions("mixed")
    with pytest.raises(ValueError, match="min_timescale: 5"):
        SinusoidalPositions(min_timescale=5.0, max_timescale=2.0)
    with pytest.raises(ValueError, match="signal_dim: 0 is not positive"):
        SinusoidalPositions(signal_dim=0)
