"""A tap shows what passes it to whoever looks, and nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import check_layer, compiled, numbers

from kt2t.layers import Tap, capture
from kt2t.ops import randomness

X = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")


def two_taps():
    model = keras.Sequential([Tap(), keras.layers.Rescaling(2.0), Tap()])
    randomness.name_layers(model)
    return model


def test_it_is_a_layer_like_any():
    check_layer(lambda **k: Tap(**k), X, shape=X.shape, weights={})


def test_a_capture_holds_each_tap_by_its_path():
    model = two_taps()
    model(X)
    with capture() as shown:
        model(X)
    assert list(shown) == ["layers.0", "layers.2"]
    np.testing.assert_allclose(shown["layers.2"], 2 * X)
    assert isinstance(shown["layers.0"], np.ndarray)


def test_a_second_pass_is_numbered():
    tap = Tap(name="tap")
    with capture() as shown:
        for factor in (1, 2, 3):
            tap(factor * X)
    assert list(shown) == ["tap", "tap#1", "tap#2"]


def test_closed_taps_collect_nothing_and_captures_do_not_mix():
    tap = Tap(name="tap")
    with capture() as outer:
        tap(X)
        with capture() as inner:
            tap(X)
        tap(X)
    tap(X)
    assert (len(outer), len(inner)) == (2, 1)


def test_a_trace_is_refused_whether_it_is_inside_or_outside():
    tap = Tap()

    def inside(x):
        with capture():
            return tap(x)

    with pytest.raises(RuntimeError, match="inside a compiled function"):
        compiled(inside)(X)
    with capture(), pytest.raises(RuntimeError, match="eagerly"):
        compiled(tap)(X)


def test_a_closed_tap_returns_the_very_tensor():
    x = keras.ops.convert_to_tensor(X)
    assert Tap()(x) is x
    np.testing.assert_array_equal(numbers(Tap()(x)), X)


def test_a_capture_can_look_at_one_kind_only():
    model = keras.Sequential([Tap(kind="attention", name="one"), Tap(name="two")])
    with capture(kind="attention") as shown:
        model(X)
    assert list(shown) == ["one"]
    with capture() as shown:
        model(X)
    assert len(shown) == 2 and Tap().kind == "states"


def test_it_knows_whether_somebody_looks():
    tap = Tap("attention")
    assert not tap.is_watched()
    for kind, watched in ((None, True), ("attention", True), ("states", False)):
        with capture(kind):
            assert tap.is_watched() == watched
