"""The picture: its size, its colours, and tokens that would break a careless one."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

from kt2t.callbacks.views.attention_figure import draw

Image = pytest.importorskip("PIL.Image")


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def uniform(*shape):
    return np.full(shape, 1.0 / shape[-1])


@pytest.mark.parametrize("shape", [(6, 8, 20, 20), (2, 4, 20, 13), (1, 1, 1, 1), (12, 2, 30, 7), (2, 16, 64, 64)])
def test_size_is_bounded(shape):
    picture = pixels(draw(uniform(*shape), ["token"] * shape[2], ["token"] * shape[3]))
    assert max(picture.shape[:2]) <= 2500


def test_a_diagonal_is_seen_where_it_is():
    """Dark pixels lie on the diagonal of the square map and nowhere else in it."""
    picture = pixels(draw(np.eye(10)[None, None], list("abcdefghij"), list("abcdefghij")))
    dark = (picture[:, :, 2] - picture[:, :, 0] > 60) & (picture.sum(-1) < 300)
    dark[:, np.nonzero(dark)[1].min() + 156 :] = False  # the colour bar
    down, across = np.nonzero(dark)
    height, width = np.ptp(down) + 1, np.ptp(across) + 1
    assert height == pytest.approx(150, abs=3) and width == pytest.approx(150, abs=3)
    assert np.abs((down - down.min()) // 15 - (across - across.min()) // 15).max() <= 1
    assert dark.sum() == pytest.approx(10 * 15 * 15, rel=0.1)


def test_every_head_has_its_own_map_in_the_order_of_the_argument():
    weights = np.zeros((1, 2, 4, 4))
    weights[0, 1] = 1.0
    picture = pixels(draw(weights, list("abcd"), list("abcd")))
    dark = (picture[:, :, 2] - picture[:, :, 0] > 60) & (picture.sum(-1) < 300)
    first = np.nonzero(dark)[1].min()
    assert first > 150 + 40, "the empty map of the first head is 150 pixels wide and lies to the left"
    assert dark[:, first : first + 148].sum() == pytest.approx(148 * 150, rel=0.03)


def test_any_token_is_drawn_without_a_word():
    tokens = ["Größe", "中文", "$x^2$", "$", "a\nb", "\\frac", "▁the", " it", "🙂", "�", "x" * 90, "مرحبا"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = draw(uniform(1, 2, len(tokens), len(tokens)), tokens, tokens, title="$ von 中文 " * 40)
    assert png.startswith(b"\x89PNG")


def test_padding_is_left_out_and_long_sequences_are_cut():
    short = draw(uniform(1, 1, 50, 50), ["a"] * 5, ["b"] * 5)
    assert pixels(short).shape == pixels(draw(uniform(1, 1, 5, 5), ["a"] * 5, ["b"] * 5)).shape
    assert max(pixels(draw(uniform(2, 2, 300, 300), ["a"] * 300, ["b"] * 300)).shape[:2]) <= 2500


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"weights: shape \(2, 3\) is not"):
        draw(np.zeros((2, 3)), [], [])
    with pytest.raises(ValueError, match="do not fit"):
        draw(uniform(1, 1, 2, 2), ["a"] * 3, ["b"])
