"""The mixture with limited experts."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_layer, forward, numbers

from kt2t.layers import Cache, CapacityLimitedExperts
from kt2t.ops.masks import SegmentMask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 4)).astype("float32")
PACKED = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 0, 0]], "int32")


def made(**options):
    layer = CapacityLimitedExperts(3, 6, **options)
    layer(X)
    for weight in layer.trainable_weights:
        weight.assign(RANDOM.normal(size=weight.shape).astype("float32"))
    layer.over_capacity.reset_state()
    return layer


def test_it_is_a_layer_like_any():
    make = lambda **options: CapacityLimitedExperts(3, 6, 9.0, **options)  # noqa: E731
    check_layer(make, X, shape=X.shape, bfloat16=False)


def test_without_a_limit_it_is_the_two_likeliest():
    layer = made()
    found = numbers(forward(layer)(X))
    kernel, bias = layer.gate.get_weights()
    logits = X @ kernel + bias
    gates = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    widen, narrow = numbers(layer.experts.widen), numbers(layer.experts.narrow)
    for place in np.ndindex(2, 6):
        two = np.argsort(-gates[place])[:2]
        y = [np.maximum(X[place] @ widen[one], 0) @ narrow[one] for one in two]
        wanted = sum(gates[place][one] * value for one, value in zip(two, y, strict=True)) / gates[place][two].sum()
        np.testing.assert_allclose(found[place], wanted, rtol=1e-3, atol=1e-4)
    assert float(layer.over_capacity.result()) == 0


def test_what_finds_no_room_is_counted():
    """All six positions prefer expert 0, then 1: of ⌊2 · 6 · 1 / 3⌋ = 4 places in each, 4 of 6 firsts find one.

    Two first choices are left out. Expert 0 is full, so no second choice is for it. The four served first choices have
    expert 1 second; those left out choose 1 too, and find it full: two more of twelve are left out.
    """
    layer = made()
    layer.gate.set_weights([np.zeros((4, 3)), np.array([3.0, 2.0, 0.0])])
    y = numbers(forward(layer)(X[:1], training=True))
    assert float(layer.over_capacity.result()) == pytest.approx(4 / 12)
    assert (np.abs(y[0]).max(-1) > 0).tolist() == [True] * 4 + [False] * 2


@pytest.mark.parametrize("training", [True, False])
def test_packed_is_padded(training):
    layer = made(overhead=0.8)
    found = numbers(forward(layer)(X, mask=SegmentMask(PACKED), training=training))
    for row, start, end in ((0, 0, 2), (0, 2, 5), (1, 0, 4)):
        alone = numbers(forward(layer)(X[row : row + 1, start:end], training=training))
        np.testing.assert_allclose(found[row, start:end], alone[0], atol=1e-5)
    assert (found[PACKED == 0] == 0).all()


def test_steps_of_beams_are_the_whole():
    layer = made()
    whole, cache = numbers(layer(X)), Cache(batch=2, length=6, beams=3)
    for time in range(6):
        step = numbers(layer(np.repeat(X[:, time : time + 1], 3, axis=1), cache=cache.child("it")))
        np.testing.assert_allclose(step, np.repeat(whole[:, time : time + 1], 3, axis=1), atol=1e-5)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="num_experts: 1 is fewer than the k = 2"):
        CapacityLimitedExperts(1, 6)
    with pytest.raises(ValueError, match="overhead: 0 is not positive"):
        CapacityLimitedExperts(2, 6, overhead=0)
