"""The grid of pictures with labels and predictions."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from kt2t.callbacks import Pictures
from kt2t.callbacks.views.images import CELL, RIGHT, WRONG, grid
from kt2t.callbacks.views.text import Row


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def share_of(data, colour):
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return (np.abs(pixels(data) - wanted).max(-1) < 40).mean()


def test_right_answers_are_green_and_wrong_ones_red():
    black = np.zeros((2, 4, 4, 1), "uint8")
    right = grid(black, [Row(None, "MMMM", "MMMM")] * 2)
    wrong = grid(black, [Row(None, "MMMM", "WWWW")] * 2)
    assert share_of(right, RIGHT) > 0 == share_of(right, WRONG)
    assert share_of(wrong, WRONG) > 0 == share_of(wrong, RIGHT)


def test_every_picture_is_there_in_its_colours():
    pictures = np.zeros((3, 2, 2, 3), "uint8")
    for number, colour in enumerate(([255, 0, 0], [0, 255, 0], [0, 0, 255])):
        pictures[number] = colour
        data = pixels(grid(pictures, [Row(None, "", "")] * 3))
        assert (data == colour).all(-1).sum() > 0.9 * CELL * CELL


def test_the_view_answers_the_sample():
    class Problem:
        def sample(self, n):
            return {"inputs": np.zeros((n, 4, 4, 1), "uint8"), "targets": np.arange(n)}

        def decode(self, field, value):
            return str(value)

        def written(self, field, decoded):
            return decoded

    class Model:
        def answer(self, features, search=None):
            self.fields = list(features)
            return {"values": np.zeros((len(features["inputs"]), 1), int)}

    model = Model()
    (data,) = Pictures(Problem(), pictures=5).render(model).values()
    assert data.startswith(b"\x89PNG") and model.fields == ["inputs"]
    assert Pictures(Problem()).render(object()) == {}
    with pytest.raises(ValueError, match="pictures: 0 is not positive"):
        Pictures(Problem(), pictures=0)
