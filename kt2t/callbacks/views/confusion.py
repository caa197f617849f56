"""Draws confusion matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.callbacks.scoring import can_be_scored, decode_split
from kt2t.callbacks.views.figures import page, png_of, shortened, text_options
from kt2t.callbacks.views.view import View

OTHERS = "(others)"
LONGEST = 14  # characters of a name


class Confusion(View):
    """Draws a confusion matrix (rows: true classes, columns: predicted ones) for each target of labels or tags.

    Args:
        problem: The problem, which supplies the examples, the references and the names of the classes.
        search: How to decode, if the model decodes; by default the model's own search.
        split: The split whose examples are used.
        limit: Maximum number of examples, spread evenly over all lengths.
        classes: Maximum number of classes; the rarest classes are merged into one.

    Raises:
        ValueError: `limit` is not positive, or `classes` is below 2.
    """

    def __init__(
        self, problem: Any, search: Any = None, split: str = "validation", limit: int = 500, classes: int = 25
    ) -> None:
        super().__init__()
        if limit < 1:
            raise ValueError(f"limit: {limit} is not positive.")
        if classes < 2:
            raise ValueError(f"classes: {classes} leaves nothing to confuse. Take at least 2.")
        self.problem = problem
        self.search = search
        self.split = split
        self.limit = limit
        self.classes = classes
        self._references: list[Any] | None = None

    def render(self, model: Any) -> dict[str, str | bytes]:
        if not can_be_scored(model, self.problem):
            return {}
        if self._references is None:
            self._references = list(self.problem.references(self.split))
        from kt2t.training.averages import weights_averaged

        with weights_averaged(model):
            found = dict(decode_split(model, self.problem, self.split, self.search, self.limit))
        pairs = [(self._references[number]["targets"], value) for number, value in found.items()]
        targets: Any = self.problem.features()["targets"]
        if not isinstance(targets, Mapping):
            return self._drawn("confusion", "targets", pairs)
        shown: dict[str, str | bytes] = {}
        for key in targets:
            shown.update(self._drawn(f"confusion/{key}", f"targets.{key}", [(a[key], b[key]) for a, b in pairs]))
        return shown

    def _drawn(self, tag: str, field: str, pairs: Sequence[tuple[Any, Any]]) -> dict[str, str | bytes]:
        counts = counted(pairs)
        if not counts:
            return {}
        known = getattr(self.problem.vocabularies().get(field), "names", None)
        names, matrix = table(counts, self.classes, known)
        tags = f", {matrix.sum():,} tags" if any(isinstance(right, list) for right, _ in pairs) else ""
        title = f"{field}: {len(pairs):,} {self.split} examples{tags}"
        return {tag: draw(matrix, names, title)}


def counted(pairs: Iterable[tuple[Any, Any]]) -> Counter[tuple[str, str]]:
    """Counts the pairs (true class, predicted class); lists of tags are compared position by position.

    Other values are ignored.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for right, predicted in pairs:
        if isinstance(right, str) and isinstance(predicted, str):
            counts[right, predicted] += 1
        elif isinstance(right, list) and isinstance(predicted, list):
            counts.update(zip(right, predicted, strict=False))
    return counts


def table(
    counts: Mapping[tuple[str, str], int], most: int, known: Sequence[str] | None = None
) -> tuple[list[str], np.ndarray]:
    """Returns the names of the classes and the matrix of counts (rows: true classes, columns: predicted ones).

    Names are in the order of `known` if it has all of them; otherwise numbers are sorted by size, then words by the
    alphabet. If there are more than `most` classes, the rarest are merged into a last class.
    """
    frequency: Counter[str] = Counter()
    for (right, predicted), count in counts.items():
        frequency[right] += count
        frequency[predicted] += count
    kept = {name for name, _ in frequency.most_common(most if len(frequency) <= most else most - 1)}
    if known is not None and kept <= {*known}:
        names = [name for name in known if name in kept]
    else:
        names = sorted(kept, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    if len(frequency) > len(names):
        names.append(OTHERS)
    places = {name: place for place, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), np.int64)
    for (right, predicted), count in counts.items():
        matrix[places.get(right, len(names) - 1), places.get(predicted, len(names) - 1)] += count
    return names, matrix


def draw(matrix: np.ndarray, names: Sequence[str], title: str = "") -> bytes:
    """Draws a matrix of counts as a PNG file; the colour of a cell shows its share of the row."""
    size = len(names)
    cell = 44 if size <= 12 else 32
    shown = [shortened(name, LONGEST) for name in names]
    longest = max(map(len, shown))
    left, bottom, top, right = 46 + 7.5 * longest, 46 + 7.5 * longest, 46, 24
    width, height = max(left + size * cell + right, 360), top + size * cell + bottom
    figure = page(width, height)
    options = text_options()
    figure.text(12 / width, 1 - 22 / height, title, fontsize=11, fontweight="bold", color="#222222", va="center", **options)
    axes = figure.add_axes((left / width, bottom / height, size * cell / width, size * cell / height))
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.set_xticks(range(size), shown, rotation=90, fontsize=8.5, **options)
    axes.set_yticks(range(size), shown, fontsize=8.5, **options)
    axes.tick_params(length=0, pad=4)
    axes.set_xlabel("predicted", fontsize=9, color="#777777")
    axes.set_ylabel("right", fontsize=9, color="#777777")
    for spine in axes.spines.values():
        spine.set(color="#999999", linewidth=0.6)
    for down, across in zip(*np.nonzero(matrix), strict=True):
        count = int(matrix[down, across])
        text = str(count) if count < 10_000 else f"{count / 1000:.0f}k"
        colour = "white" if shares[down, across] > 0.55 else "#222222"
        axes.text(across, down, text, ha="center", va="center", fontsize=7.5, color=colour)
    return png_of(figure)
