"""The base of attention within a window, by a kind of its own: the nearest positions."""

from __future__ import annotations

import numpy as np
import pytest
from attention_harness import attended, by_pairs, check_packed, check_steps, sequence
from harness import forward, numbers
from keras import ops

from kt2t.layers import WindowAttention
from kt2t.ops.masks import SegmentMask


class Nearest(WindowAttention):
    """Each position sees the two positions before and the one after it."""

    def reach(self):
        return 2, 1

    def sees(self, query, key):
        return ops.logical_and(key >= query - 2, key <= query + 1)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("block", [1, 3, 20])
def test_a_kind_of_your_own_in_two_methods(causal, block):
    x, layer = sequence(7), Nearest(2, block)
    found = attended(layer, x, causal)
    wanted = by_pairs(layer, x, lambda i, j: i - 2 <= j <= i + (0 if causal else 1))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    check_packed(layer, (4, 1, 6), causal)


def test_its_cache_holds_one_window():
    entries = check_steps(Nearest(2, 4), sequence(9))
    assert {name: tuple(value.shape) for name, value in entries.items() if name != "ancestry"} == {
        "state/it.keys": (2, 3, 2, 3, 4),
        "state/it.values": (2, 3, 2, 3, 4),
    }


def test_masks():
    x, layer = sequence(6), Nearest(2, 4)
    everything = numbers(forward(layer)(x))
    np.testing.assert_allclose(attended(layer, x, causal=False), everything, atol=1e-6)
    real = np.array([[1, 1, 1, 1, 0, 0]] * 2)
    padded = numbers(forward(layer)(x, mask=real.astype(bool)))
    np.testing.assert_allclose(padded[:, :4], numbers(forward(layer)(x[:, :4])), atol=1e-5)
    reads = SegmentMask(ops.convert_to_tensor(real.astype("int32")), reads_padding=True)
    wanted = by_pairs(layer, x, lambda i, j: i - 2 <= j <= i + 1 and j < 4)
    np.testing.assert_allclose(numbers(forward(layer)(x, mask=reads))[:, :6], wanted, atol=1e-5)
    with pytest.raises(ValueError, match="Pass a SegmentMask"):
        layer(x, mask=np.ones((2, 6, 6), bool))
    with pytest.raises(ValueError, match="Nearest is self attention, and cannot read a memory"):
        Nearest(2)(x, memory=x)


def test_the_base_alone_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="must define reach"):
        WindowAttention(2)(sequence(3))
