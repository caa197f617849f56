"""Draws the attention weights of every head for fixed examples during training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kt2t.callbacks.views.attention_figure import draw
from kt2t.callbacks.views.view import View
from kt2t.features import END

MAX_ROWS = 8
START_LABEL, END_LABEL = "⟨start⟩", "⟨end⟩"
_AXES = {
    "encoder": ("reading", "attends to"),
    "decoder": ("writing", "attends to"),
    "cross": ("writing", "attends to the source"),
}


class AttentionMaps(View):
    """Draws the attention weights of a fixed batch: one picture for each example and kind of attention.

    The kinds are `encoder` and `decoder` (each to itself) and `cross` (the decoder to the encoder). The batch runs through
    the model once more, outside the training step, and the model's taps of kind `attention` record the weights. Used as a
    callback, it writes PNG files at each epoch end; `TensorBoard` shows the same pictures.

    Args:
        problem: The problem, which supplies the sample and decodes its tokens. Without it the ids of tokens are drawn.
        folder: Folder for `step-N/` folders with the PNG files. None writes no files.
        sample: Features of a batch, in place of the problem's sample; its first 8 rows are used.
        examples: Number of examples of the batch to draw.

    Raises:
        ValueError: Neither `problem` nor `sample` is given, or `examples` is not from 1 to 8.
    """

    def __init__(
        self,
        problem: Any = None,
        folder: str | Path | None = None,
        sample: Mapping[str, Any] | None = None,
        examples: int = 1,
    ) -> None:
        super().__init__(folder)
        if problem is None and sample is None:
            raise ValueError("problem: attention maps need a problem or a sample to look at.")
        if not 1 <= examples <= MAX_ROWS:
            raise ValueError(f"examples: {examples} is not from 1 to {MAX_ROWS}.")
        self.problem = problem
        self.examples = examples
        self._sample = sample

    def render(self, model: Any) -> dict[str, bytes]:
        """Returns PNG files by `attention/KIND_example_N`; empty for a model without attention."""
        features = self._batch()
        pictures: dict[str, bytes] = {}
        for kind, weights in grouped(capture_weights(model, features)).items():
            for row in range(min(self.examples, weights.shape[1])):
                shown = weights[:, row]
                queries, keys = self._tokens(kind, features, row, shown.shape[2:])
                if kind == "decoder" and _is_one_sequence(features, weights.shape[3]):
                    sources = self._words("inputs", features, row)
                    behind = 1 + features["inputs"].shape[1] + np.arange(len(queries))
                    places = np.concatenate([np.arange(1 + len(sources)), behind])
                    queries = keys = [START_LABEL, *sources, *keys]
                    shown = shown[..., places, :][..., places]
                if len(queries) <= shown.shape[2] and len(keys) <= shown.shape[3]:
                    title = f"{kind} attention · example {row + 1}"
                    pictures[f"attention/{kind}_example_{row + 1}"] = draw(shown, queries, keys, title, _AXES[kind])
        return pictures

    def _batch(self) -> dict[str, np.ndarray]:
        if self._sample is None:
            self._sample = self.problem.sample(self.examples)
        fields = {field: value for field, value in self._sample.items() if not isinstance(value, Mapping)}
        return {field: np.asarray(value)[:MAX_ROWS] for field, value in fields.items()}

    def _tokens(
        self, kind: str, features: Mapping[str, np.ndarray], row: int, size: tuple[int, ...]
    ) -> tuple[list[str], list[str]]:
        read = "inputs" if "inputs" in features else "targets"
        if _is_text(features[read]):
            source = self._words(read, features, row)
        else:
            source = [str(place + 1) for place in range(size[1])]  # patches of a picture or sound frames are numbered
        if kind == "encoder":
            return source, source
        if "targets" not in features or not _is_text(features["targets"]):
            written = [str(place + 1) for place in range(size[0])]
            return written, source if kind == "cross" else written
        written = self._words("targets", features, row)
        return written, source if kind == "cross" else [START_LABEL, *written[:-1]]

    def _words(self, field: str, features: Mapping[str, np.ndarray], row: int) -> list[str]:
        ids = features[field][row]
        segments = features.get(f"{field}_segments")
        real = (segments[row] == 1) if segments is not None else (ids != 0)
        return [self._word(field, int(one)) for one in ids[real]]

    def _word(self, field: str, token: int) -> str:
        if token == END:
            return END_LABEL
        return str(token) if self.problem is None else self.problem.decode(field, [token]) or str(token)


def _is_text(values: np.ndarray) -> bool:
    """Whether the values of a field are rows of token ids."""
    return values.ndim == 2 and values.dtype.kind in "iu"


def _is_one_sequence(features: Mapping[str, np.ndarray], length: int) -> bool:
    """Whether the decoder reads one sequence of start token, inputs and targets, as a language model with inputs does."""
    if not all(field in features and _is_text(features[field]) for field in ("inputs", "targets")):
        return False
    return length == 1 + features["inputs"].shape[1] + features["targets"].shape[1]


def capture_weights(model: Any, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs a batch and returns the attention weights that the model's taps record, by path, in the order of the calls."""
    from kt2t.layers.tap import capture

    with capture(kind="attention") as captured:
        model({field: keras.ops.convert_to_tensor(value) for field, value in features.items()}, training=False)
    return {path: weights for path, weights in captured.items() if weights.ndim == 4}


def grouped(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Groups the weights by kind of attention: kind → (layers, batch, heads, query, key).

    Leaves out layers whose shape differs from the first of their kind.
    """
    kinds: dict[str, list[np.ndarray]] = {}
    for path in sorted(weights, key=_in_order):
        layers = kinds.setdefault(kind_of(path), [])
        if not layers or layers[0].shape == weights[path].shape:
            layers.append(weights[path])
    return {kind: np.stack(layers) for kind, layers in kinds.items()}


def kind_of(path: str) -> str:
    """Returns the kind of attention that the path of a tap names: `cross`, `decoder`, or else `encoder`."""
    if re.search(r"cross|memory|encoder_decoder", path):
        return "cross"
    return "decoder" if "decoder" in path else "encoder"


def _in_order(path: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"[./\[\]_]", path)]
