"""Draws attention weights as a grid of maps: a row for each layer, a column for each head, tokens on the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kt2t.callbacks.views.figures import DPI, page, png_of, shortened, text_options

MAX_PIXELS = 2400
MAX_TOKENS = 64


def draw(
    weights: np.ndarray,
    query_tokens: Sequence[str],
    key_tokens: Sequence[str],
    title: str = "",
    axes: tuple[str, str] = ("from", "attends to"),
) -> bytes:
    """Draws a grid of attention maps; returns a PNG file of at most 2400 × 2400 pixels.

    A row of a map is one query, whose weights sum to 1 over the keys. All maps share one scale from 0 to 1. Colours follow
    the square root of the weight, so that weights of a few hundredths are visible. Only the first 64 tokens are drawn.

    Shapes:
        weights (layers, heads, query, key); query and key positions beyond the lists of tokens are padding

    Args:
        title: Title above the grid.
        axes: Labels of the vertical and the horizontal axis.

    Raises:
        ValueError: `weights` does not have four axes, or there are more tokens than query or key positions.
    """
    weights = np.asarray(weights, dtype="float32")
    if weights.ndim != 4:
        raise ValueError(f"weights: shape {weights.shape} is not (layers, heads, query, key).")
    if len(query_tokens) > weights.shape[2] or len(key_tokens) > weights.shape[3]:
        raise ValueError(
            f"weights: {len(query_tokens)} query and {len(key_tokens)} key tokens do not fit shape {weights.shape}."
        )
    cut = max(len(query_tokens), len(key_tokens)) > MAX_TOKENS
    queries = [_label(token) for token in query_tokens[:MAX_TOKENS]]
    keys = [_label(token) for token in key_tokens[:MAX_TOKENS]]
    heading = title + (f" (the first {MAX_TOKENS} tokens)" if cut else "")
    return _png(weights[:, :, : len(queries), : len(keys)], queries, keys, heading, axes)


@dataclass(frozen=True)
class _Layout:
    """Computes sizes and positions in the figure, in pixels."""

    layers: int
    heads: int
    queries: int
    keys: int
    left: float
    bottom: float
    top: float = 58.0
    right: float = 96.0
    gap: float = 12.0
    caption: float = 24.0

    @property
    def token(self) -> float:
        """Returns the side of one square: small enough for the figure's maximum size, and larger in a small grid."""
        across = (MAX_PIXELS - self.left - self.right - self.gap * (self.heads - 1)) / (self.heads * self.keys)
        down = (MAX_PIXELS - self.top - self.bottom - self.caption * self.layers) / (self.layers * self.queries)
        wanted = max(15.0, 150.0 / max(self.queries, self.keys))
        return min(across, down, wanted)

    @property
    def cell(self) -> tuple[float, float]:
        return self.keys * self.token, self.queries * self.token

    @property
    def size(self) -> tuple[float, float]:
        width, height = self.cell
        return (
            max(self.left + self.right + self.heads * width + (self.heads - 1) * self.gap, 420.0),
            self.top + self.bottom + self.layers * (height + self.caption),
        )

    def box(self, layer: int, head: int) -> tuple[float, float, float, float]:
        """Returns left, bottom, width and height of a map, as fractions of the figure."""
        (width, height), (full_width, full_height) = self.cell, self.size
        x = self.left + head * (width + self.gap)
        y = full_height - self.top - (layer + 1) * (height + self.caption)
        return x / full_width, y / full_height, width / full_width, height / full_height


def _png(weights: np.ndarray, queries: list[str], keys: list[str], title: str, axes: tuple[str, str]) -> bytes:
    left, bottom = (34 + 6.6 * max(map(len, labels), default=0) for labels in (queries, keys))
    layout = _Layout(weights.shape[0], weights.shape[1], len(queries), len(keys), left, bottom)
    width, height = layout.size
    figure, fonts = page(width, height), text_options()
    bold: dict[str, Any] = {"fontsize": 12, "fontweight": "bold", "color": "#222222", "va": "center", **fonts}
    figure.text(layout.left / width, 1 - 24 / height, shortened(title, int((width - layout.left) / 10)), **bold)
    picture = None
    for layer in range(layout.layers):
        for head in range(layout.heads):
            place = figure.add_axes(layout.box(layer, head))
            picture = _map(place, weights[layer, head], layout)
            place.set_title(_caption(layer, head, layout), fontsize=8.5, pad=4, color="#444444")
            if head == 0:
                _ticks(place.yaxis, queries, layout.token, fonts)
            if layer == layout.layers - 1:
                _ticks(place.xaxis, keys, layout.token, fonts, rotation=90)
    grey: dict[str, Any] = {"fontsize": 9, "color": "#777777"}
    centre = (height - layout.top + layout.bottom) / 2
    figure.text(14 / width, centre / height, axes[0], rotation=90, ha="center", va="center", **grey)
    middle = layout.left + (layout.heads * (layout.cell[0] + layout.gap) - layout.gap) / 2
    figure.text(middle / width, 12 / height, axes[1], ha="center", va="center", **grey)
    _scale(figure, picture, layout)
    return png_of(figure)


def _map(place: Any, weights: np.ndarray, layout: _Layout) -> Any:
    from matplotlib.colors import PowerNorm

    picture = place.imshow(weights, cmap="Blues", norm=PowerNorm(0.5, 0.0, 1.0), interpolation="nearest", aspect="auto")
    place.set_xticks([])
    place.set_yticks([])
    for spine in place.spines.values():
        spine.set(color="#999999", linewidth=0.6)
    return picture


def _ticks(axis: Any, tokens: list[str], pixels: float, fonts: dict[str, Any], rotation: float = 0) -> None:
    stride = max(1, math.ceil(9.0 / pixels))
    places = list(range(0, len(tokens), stride))
    axis.set_ticks(
        places, [tokens[place] for place in places], rotation=rotation, fontsize=_points(pixels * stride), **fonts
    )
    axis.set_tick_params(length=2, width=0.5, pad=2, color="#999999")


def _points(pixels: float) -> float:
    return min(8.5, max(6.0, pixels * 0.85 * 72 / DPI))


def _caption(layer: int, head: int, layout: _Layout) -> str:
    return f"layer {layer + 1} · head {head + 1}" if layout.cell[0] >= 92 else f"L{layer + 1} H{head + 1}"


def _scale(figure: Any, picture: Any, layout: _Layout) -> None:
    width, height = layout.size
    tall = min(260.0, height - layout.top - layout.bottom - layout.caption)
    left = layout.left + layout.heads * (layout.cell[0] + layout.gap) - layout.gap + 18
    top = height - layout.top - layout.caption
    place = figure.add_axes((left / width, (top - tall) / height, 12 / width, tall / height))
    bar = figure.colorbar(picture, cax=place, ticks=[0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0])
    bar.ax.set_yticklabels(["0", ".01", ".05", ".1", ".25", ".5", "1"], fontsize=8, color="#444444")
    bar.ax.tick_params(length=2, width=0.5, pad=2, color="#999999")
    bar.outline.set(edgecolor="#999999", linewidth=0.6)
    bar.ax.set_title("weight", fontsize=8.5, pad=8, color="#444444", loc="left")


def _label(token: str) -> str:
    shown = token.replace("\n", "⏎").replace("\t", "⇥")
    shown = "·" + shown.lstrip(" ▁") if shown.startswith((" ", "▁")) else shown
    return shortened(shown, 12)
