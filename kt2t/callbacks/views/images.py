"""Draws pictures of the validation split with their labels and the model's predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.callbacks.views.figures import page, png_of, shortened, text_options
from kt2t.callbacks.views.text import DecodedText, Row
from kt2t.callbacks.views.view import View

CELL, CAPTION, GAP = 112, 34, 10  # pixels
LONGEST = 15  # characters of a line below a picture
RIGHT, WRONG = "#1a7f37", "#c62828"


class Pictures(View):
    """Draws a grid of pictures, each with its label, and with the model's prediction in red below if it is wrong.

    Args:
        problem: The problem, which supplies the sample and the names of the classes.
        search: How to decode, if the model describes pictures in words; by default the model's own search.
        pictures: Number of pictures.
        sample: Features and targets of a batch, in place of the problem's sample.

    Raises:
        ValueError: `pictures` is not positive.
    """

    def __init__(
        self, problem: Any, search: Any = None, pictures: int = 16, sample: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        if pictures < 1:
            raise ValueError(f"pictures: {pictures} is not positive.")
        self.problem = problem
        self.search = search
        self.pictures = pictures
        self._sample = sample

    def render(self, model: Any) -> dict[str, str | bytes]:
        if self._sample is None:
            self._sample = self.problem.sample(self.pictures)
        rows = DecodedText(self.problem, self.search, self.pictures, self._sample).rows(model)
        return {"pictures": grid(np.asarray(self._sample["inputs"])[: len(rows)], rows)} if rows else {}


def grid(pictures: np.ndarray, rows: Sequence[Row]) -> bytes:
    """Draws a grid of pictures as a PNG file, each with its target: green if predicted, else with the prediction in red.

    Shapes:
        pictures (count, height, width, channels) from 0 to 255
    """
    pictures = np.clip(np.asarray(pictures), 0, 255).astype(np.uint8)
    tall = CELL * min(2.0, max(0.5, pictures.shape[1] / pictures.shape[2]))
    columns = max(1, min(len(pictures), 8, math.ceil(math.sqrt(len(pictures)))))
    down = math.ceil(len(pictures) / columns)
    width, height = GAP + columns * (CELL + GAP), GAP + down * (tall + CAPTION + GAP)
    figure = page(width, height)
    for place, (picture, row) in enumerate(zip(pictures, rows, strict=True)):
        x = GAP + place % columns * (CELL + GAP)
        top = height - GAP - place // columns * (tall + CAPTION + GAP)
        axes = figure.add_axes((x / width, (top - tall) / height, CELL / width, tall / height))
        _draw(axes, picture)
        middle = (x + CELL / 2) / width
        options: dict[str, Any] = {"fontsize": 8.5, "ha": "center", "va": "top", **text_options()}
        is_right = row.targets == row.prediction
        colour = RIGHT if is_right else "#333333"
        figure.text(middle, (top - tall - 4) / height, shortened(row.targets, LONGEST), color=colour, **options)
        if not is_right:
            predicted = f"→ {shortened(row.prediction, LONGEST - 2)}"
            figure.text(middle, (top - tall - 19) / height, predicted, color=WRONG, **options)
    return png_of(figure)


def _draw(axes: Any, picture: np.ndarray) -> None:
    shown = picture if picture.shape[-1] in (3, 4) else picture.mean(-1)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#bbbbbb", linewidth=0.6)
