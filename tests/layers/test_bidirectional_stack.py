"""Both directions, against two stacks, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Attention, BidirectionalStack, GRUStack, LSTMStack, Memory

X = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")


def test_it_is_a_layer_like_any():
    make = lambda **o: BidirectionalStack(LSTMStack(1, 3, 0.4), **o)  # noqa: E731
    check_layer(make, X, PACKED, shape=(2, 6, 6), has_dropout=True)


def test_each_position_has_what_both_directions_read_up_to_it():
    layer = BidirectionalStack(GRUStack(2, 3))
    found = numbers(forward(layer)(X, PACKED))
    ahead = numbers(layer.forward(X, PACKED))
    for row, first, end in ((0, 0, 2), (0, 2, 5), (1, 0, 6)):
        here = X[row : row + 1, first:end]
        back = numbers(layer.backward.layers[1](layer.backward.layers[0](here[:, ::-1])))[:, ::-1]
        np.testing.assert_allclose(found[row : row + 1, first:end, 3:], back, atol=1e-6)
        np.testing.assert_allclose(found[row, first:end, :3], ahead[row, first:end], atol=1e-6)
    assert not found[0, 5].any()


def test_its_states_are_those_of_a_decoder_of_twice_the_units():
    layer = BidirectionalStack(LSTMStack(2, 3, returns_state=True))
    found = numbers(forward(layer)(X[1:]))
    ahead, back = numbers(layer.forward(X[1:])), numbers(layer.backward(X[1:]))
    for part, name in enumerate(("c", "h", "c", "h", "y")):
        wanted = np.concatenate([one[..., 3 * part : 3 * part + 3] for one in (ahead, back)], axis=-1)
        np.testing.assert_allclose(found[..., 6 * part : 6 * part + 6], wanted, atol=1e-6, err_msg=name)
    assert found.shape[-1] == LSTMStack(2, 6).state_dim + 6


def test_it_is_no_decoder():
    layer = BidirectionalStack(LSTMStack(1, 4))
    assert not layer.can_decode
    with pytest.raises(ValueError, match="memory: BidirectionalStack is an encoder"):
        layer(X, memory=Memory(X, PACKED))
    with pytest.raises(ValueError, match="stack: Attention is no stack"):
        BidirectionalStack(Attention(2))
