"""Sampling: the frequencies of many draws against the distribution they come from."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.decoding import Sample

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1], "float32"))
ROWS = np.tile(LOGITS, (20_000, 1))


def frequencies(search, position=0):
    drawn = np.asarray(search.pick(ROWS, position))
    return np.bincount(drawn, minlength=4) / len(drawn)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0.5}, np.array([0.25, 0.0625, 0.0225, 0.01]) / 0.345),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 9}, [0.5, 0.25, 0.15, 0.1]),
        ({"top_p": 0.7}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.8}, [5 / 9, 2.5 / 9, 1.5 / 9, 0]),
        ({"top_p": 1e-6}, [1, 0, 0, 0]),
    ],
)
def test_frequencies(options, expected):
    np.testing.assert_allclose(frequencies(Sample(**options)), expected, atol=0.015)


def test_a_draw_is_a_function_of_seed_row_and_position():
    draw = lambda seed, position: np.asarray(Sample(seed=seed).pick(ROWS, position))  # noqa: E731
    np.testing.assert_array_equal(draw(1, 0), draw(1, 0))
    expected = np.square([0.5, 0.25, 0.15, 0.1]).sum()  # how often two independent draws agree
    for other in (draw(2, 0), draw(1, 1), np.roll(draw(1, 0), 1)):
        np.testing.assert_allclose((draw(1, 0) == other).mean(), expected, atol=0.02)


def test_every_draw_is_another_function_of_the_seed():
    search = Sample(seed=1)
    draws = [np.asarray(search.pick(ROWS, 0, draw)) for draw in range(3)]
    np.testing.assert_array_equal(draws[0], np.asarray(search.pick(ROWS, 0)))
    np.testing.assert_array_equal(draws[2], np.asarray(search.pick(ROWS, 0, 2)))
    expected = np.square([0.5, 0.25, 0.15, 0.1]).sum()
    later = np.asarray(search.pick(ROWS, 1, 0))
    for one, other in ((draws[0], draws[1]), (draws[1], draws[2]), (draws[1], later)):
        np.testing.assert_allclose((one == other).mean(), expected, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature: 0.0 is not positive"),
        ({"top_k": 0}, "top_k: 0 leaves nothing"),
        ({"top_p": 1.5}, "top_p: 1.5 is not a probability"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        Sample(**options)
