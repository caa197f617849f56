"""The mix-in of models that decode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kt2t.decoding.loop import advanced, is_over
from kt2t.decoding.named import search_of
from kt2t.decoding.search import Search
from kt2t.ops.missing_segments import with_segments
from kt2t.registry import describe

Tensor = Any
_SOURCE_MULTIPLE = 8
_LENGTH_MULTIPLE = 16


class Decodes:
    """Mix-in that adds `generate` to a model. The model must define

    * `encode(features, training=False)` → the memory, a structure that only the model reads;
    * `start(memory, features, length, beams)` → a `Cache` with every entry in its final shape;
    * `step(ids (batch, beams), position, cache)` → logits (batch, beams, vocabulary_size), cache.
    """

    features: Mapping[str, Any]
    built: bool
    build: Callable[..., None]
    _compiled: Callable[..., Any]
    _cache_class: Any
    encode: Callable[..., Any]
    start: Callable[..., Any]
    step: Callable[..., tuple[Tensor, Any]]

    def generate(
        self,
        features: Any,
        search: Any = None,
        length: int | None = None,
        draw: int = 0,
    ) -> dict[str, np.ndarray]:
        """Decodes a batch and returns its best hypotheses with their scores. Compiled graphs are kept for similar widths.

        Args:
            features: As in training; a model that reads a source ignores `targets`; a model without a source takes
                them as the prompt. Where segments are missing, id 0 is padding. The model of a run that `kt2t.load` opened
                also takes a list of texts.
            search: A search, such as `Greedy()` (the default) or `Beam(beams=4)`; its node; or its name, such as `"beam"`.
            length: The maximum number of positions. Default: for each row the length of its own source plus the search's
                `extra_length`.
            draw: Number of the batch, for sampling: another number draws other random numbers for the same row.

        Returns:
            `ids` (batch, n_best, time) int32, END kept, 0 behind it; `scores` (batch, n_best) float32. Best first;
            hypotheses without END, which the limit cut off, come last. A row's answers do not depend on the other rows.

        Raises:
            ValueError: Packed rows, a field is missing, texts without a vocabulary, no such search, or a length that is
                not positive.
        """
        search = search_of(search)
        arrays = {name: np.asarray(value) for name, value in self.readable(features).items()}
        arrays = {name: ops.convert_to_numpy(value) for name, value in with_segments(arrays, self.features).items()}
        _check_unpacked(arrays)
        if not self.built:
            self.build()
        prompt, sources = self.prompt(arrays), self.sources(arrays)
        width = max([0 if prompt is None else prompt.shape[1], *self._positions(sources).values()])
        limit = width + search.extra_length if length is None else length
        if limit < 1:
            raise ValueError(f"length: {limit} is not positive.")
        capacity = _rounded(limit, _LENGTH_MULTIPLE)
        asked = {
            "sources": self._padded(sources),
            "limit": _every(sources, prompt, length)
            if length is not None
            else self._limits(prompt, sources, search.extra_length),
            "draw": np.asarray(draw, "int32"),
        }
        if prompt is not None:
            asked["prompt"] = np.pad(prompt[:, :capacity], [(0, 0), (0, max(0, capacity - prompt.shape[1]))])
        first = min(_rounded(width + width // 4 + 1, _LENGTH_MULTIPLE), capacity)
        tensors = keras.tree.map_structure(ops.convert_to_tensor, asked)
        found, is_over = self._generator(search, capacity, first)(tensors)
        if first < capacity and not bool(ops.convert_to_numpy(is_over)):
            given = {name: value for name, value in tensors.items() if name in ("limit", "prompt")}
            found = self._continuer(search, capacity, first)({**given, **found})
        ids, scores, steps = (found[name] for name in ("best", "scores", "position"))
        ids, scores = ops.convert_to_numpy(ids), ops.convert_to_numpy(scores)
        return {"ids": ids[:, :, : int(ops.convert_to_numpy(steps))], "scores": scores}

    def answer(self, features: Any, search: Any = None, draw: int = 0) -> dict[str, np.ndarray]:
        """Calls `generate`; returns `values`, the ids (batch, n_best, time), and `scores` (batch, n_best)."""
        found = self.generate(features, search=search, draw=draw)
        return {"values": found["ids"], "scores": found["scores"]}

    def readable(self, features: Any) -> Mapping[str, Any]:
        """Returns the features as arrays by field; the next base class may check them or encode texts."""
        following = getattr(super(), "readable", None)
        given: Mapping[str, Any] = features if following is None else following(features)
        return given

    def prompt(self, features: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Returns the ids (batch, time) that the output must begin with, 0 where it is free; None if it is free everywhere."""
        return None

    def sources(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the features that `encode` reads: all fields but `targets`, with segments for fields of variable length."""
        read = {}
        for name, feature in self.features.items():
            if name == "targets" or name not in features:
                continue
            read[name] = features[name]
            if feature.has_segments:
                ones = np.ones(features[name].shape[:2], "int32")
                read[f"{name}_segments"] = features.get(f"{name}_segments", ones)
        return read

    def _positions(self, sources: Mapping[str, np.ndarray]) -> dict[str, int]:
        """Returns, for each field that has segments, the number of positions that the model makes from its width."""
        return {
            name: int(self.features[name].positions(array.shape[1]))
            for name, array in sources.items()
            if f"{name}_segments" in sources
        }

    def _limits(self, prompt: np.ndarray | None, sources: Mapping[str, np.ndarray], extra: int) -> np.ndarray:
        """Returns the maximum length of each row, (batch,) int32: its longest source or its prompt, plus `extra`."""
        lengths = [
            self.features[name].positions((np.asarray(sources[f"{name}_segments"]) != 0).sum(axis=1))
            for name in self._positions(sources)
        ]
        lengths += [] if prompt is None else [(prompt != 0).sum(axis=1)]
        longest = np.max(lengths, axis=0) if lengths else _every(sources, prompt, 0)
        return np.asarray(longest + extra, "int32")

    def _padded(self, sources: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Pads fields of variable length to a multiple of positions, so that few shapes are compiled."""
        padded = dict(sources)
        for name, positions in self._positions(sources).items():
            width = _rounded(positions, _SOURCE_MULTIPLE) * self.features[name].values_per_position
            for key in (name, f"{name}_segments"):
                room = [(0, 0)] * sources[key].ndim
                room[1] = (0, width - sources[key].shape[1])
                padded[key] = np.pad(sources[key], room)
        return padded

    def _generator(self, search: Search, length: int, first: int) -> Callable[..., Any]:
        """Returns the compiled function that begins a search, with room for `first` of `length` positions."""
        return self._kept(search, length, first, lambda asked: self._begin(asked, search, length, first))

    def _continuer(self, search: Search, length: int, first: int) -> Callable[..., Any]:
        """Returns the compiled function that continues a search beyond `first` positions; made when a search needs it."""
        return self._kept(search, length, -first, lambda asked: self._continue(asked, search, length, first))

    def _kept(self, search: Search, length: int, room: int, function: Callable[[Any], Any]) -> Callable[..., Any]:
        if "_generators" not in vars(self):
            object.__setattr__(self, "_generators", {})  # past Keras, which would track the dict
        kept: dict[Any, Callable[..., Any]] = vars(self)["_generators"]
        key = (repr(describe(search, full=True)), length, room)
        if key not in kept:
            kept[key] = self._compiled(function)
        return kept[key]

    def _begin(
        self, asked: Mapping[str, Any], search: Search, length: int, first: int
    ) -> tuple[dict[str, Any], Tensor]:
        sources, prompt, limit = asked["sources"], asked.get("prompt"), asked["limit"]
        features = sources if prompt is None else {**sources, "targets": prompt}
        batch = ops.shape(next(iter(features.values())))[0]
        cache = self.start(self.encode(features, training=False), features, first, search.beams)
        object.__setattr__(self, "_cache_class", type(cache))
        position, state = ops.cast(0, "int32"), search.begin(batch, length, asked["draw"])
        position, state, cache = advanced(search, self.step, cache, batch, position, state, limit, prompt)
        found = _found(search, position, state, limit)
        if first == length:
            return found, ops.cast(True, "bool")
        return {**found, "state": state, "flat": cache.flat()}, is_over(search, position, state, limit)

    def _continue(self, asked: Mapping[str, Any], search: Search, length: int, first: int) -> dict[str, Any]:
        state, limit = asked["state"], asked["limit"]
        batch = ops.shape(state["last"])[0]
        cache = self._cache_class.of(asked["flat"], first, search.beams).grown(length)
        position, state, _ = advanced(
            search, self.step, cache, batch, asked["position"], state, limit, asked.get("prompt")
        )
        return _found(search, position, state, limit)


def _found(search: Search, position: Tensor, state: Any, limit: Tensor) -> dict[str, Any]:
    best, scores = search.result(state, ops.minimum(position, limit))
    return {"best": best, "scores": scores, "position": position}


def _check_unpacked(features: Mapping[str, np.ndarray]) -> None:
    for name, value in features.items():
        if name.endswith("_segments") and value.size and value.max() > 1:
            raise ValueError(f"features: {name} holds packed rows, which cannot be decoded. Give one example a row.")


def _every(sources: Mapping[str, np.ndarray], prompt: np.ndarray | None, length: int) -> np.ndarray:
    """Returns an array that holds `length` for each row of the batch."""
    first = prompt if prompt is not None else next(iter(sources.values()))
    return np.full(len(first), length, "int32")


def _rounded(number: int, multiple: int) -> int:
    return max(1, -(-number // multiple)) * multiple
