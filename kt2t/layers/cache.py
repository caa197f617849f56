"""What decoding keeps from step to step: one handle over a flat dict of tensors."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.ops.beams import gather_beams

Tensor = Any


class Cache:
    """Everything that a decoder remembers, each entry in its final shape before the loop starts.

    What crosses a loop is `flat()`, a dict of tensors; inside the loop `at` makes a handle of it again. There are three
    kinds of entry, told by the first part of their key:

    * `memory`: of a source, shared by its beams, written once (`remember`), never moved.
    * `history`: one row for each position and beam of a source (`reserve`, `append`). It is never moved either: that a
      beam continues another is recorded in `ancestry`, which says whose rows a beam may see, so that reordering moves a
      few booleans instead of every key and value. The rows of a `prefix` come first, before the loop.
    * `state`: one row for each beam (`write`), gathered when beams are reordered; what recurrent layers keep.

    Args:
        length: In positions, of the longest output or of as much of it as there is room for at first (`grown`).
        beams: Hypotheses of one source.
        batch: Number of sources; a number or a scalar tensor.
        prefix: (batch, rows) boolean, True = real: what stands in front of the output in one sequence with it. The first
            `append` writes its rows, which all beams see.
    """

    def __init__(self, batch: Any, length: int, beams: int = 1, prefix: Tensor | None = None) -> None:
        self.length = length
        self.beams = beams
        self.position: Tensor = 0
        self._batch = batch
        self._prefix_rows: Any = 0 if prefix is None else ops.shape(prefix)[1]
        self._row: Tensor = 0
        self._prefix = ""
        self._entries: dict[str, Tensor] = {}
        if prefix is not None:
            self._entries["prefix"] = prefix
        if beams > 1:
            self._entries["ancestry"] = ops.zeros((batch, beams, length * beams), dtype="bool")

    @staticmethod
    def of(flat: dict[str, Tensor], length: int, beams: int) -> Cache:
        """The cache with these entries, which `flat` gave for that length, as in another graph than the one it began in."""
        prefix = flat.get("prefix")
        cache = Cache(None, length, 1, prefix)
        cache.beams, cache._entries = beams, dict(flat)
        return cache

    def child(self, name: Any) -> Cache:
        """The same cache, in which every name is below `name`: what a layer hands to its part."""
        below = self._twin()
        below._prefix = f"{self._prefix}{name}."
        return below

    def remember(self, name: str, value: Tensor) -> None:
        """Keeps something of the source: (batch, …)."""
        self._entries[f"memory/{self._prefix}{name}"] = value

    def reserve(self, name: str, heads: int, depth: int, dtype: str) -> None:
        """Makes room for one row a position and beam, those of a prefix first: (batch, heads, rows, depth)."""
        shape = (self._batch, heads, self._prefix_rows + self.length * self.beams, depth)
        self._entries[f"history/{self._prefix}{name}"] = ops.zeros(shape, dtype=dtype)

    def append(self, name: str, value: Tensor) -> Tensor:
        """Writes this step's rows (batch, heads, beams, depth) and gives the whole history."""
        key = f"history/{self._prefix}{name}"
        entry = self._entries[key]
        start = (0, 0, ops.cast(self._row, "int32"), 0)
        self._entries[key] = ops.slice_update(entry, start, ops.cast(value, entry.dtype))
        return self._entries[key]

    def keep(self, name: str, shape: tuple[int, ...], dtype: str, value: Tensor | None = None) -> None:
        """Makes room for one row per beam, such as the state of a recurrent layer or the window of a convolution.

        Args:
            name: Of the entry.
            shape: Of a row.
            dtype: Of a row.
            value: (batch, *shape), what every beam starts from, such as the state after a prefix; zeros without it.
        """
        whole = (self._batch, self.beams, *shape)
        if value is None:
            self.write(name, ops.zeros(whole, dtype=dtype))
        else:
            self.write(name, ops.broadcast_to(ops.expand_dims(ops.cast(value, dtype), 1), whole))

    def write(self, name: str, value: Tensor) -> None:
        """Replaces something of each beam: (batch, beams, …)."""
        self._entries[f"state/{self._prefix}{name}"] = value

    def read(self, name: str) -> Tensor:
        """The entry of that name, of whichever kind."""
        for kind in ("memory", "state", "history"):
            if f"{kind}/{self._prefix}{name}" in self._entries:
                return self._entries[f"{kind}/{self._prefix}{name}"]
        raise KeyError(f"{self._prefix}{name}")

    def holds(self, name: str) -> bool:
        """Whether the source's memory has an entry of that name."""
        return f"memory/{self._prefix}{name}" in self._entries

    def place(self) -> Tensor:
        """The position of this step's row in its sequence, that of a prefix included: (batch or 1, 1) int32."""
        position = ops.reshape(ops.cast(self.position, "int32"), (1, 1))
        if "prefix" not in self._entries:
            return position
        return position + ops.sum(ops.cast(self._entries["prefix"], "int32"), axis=1, keepdims=True)

    def positions(self) -> Tensor:
        """The position of every row of a history without a prefix: (length · beams,) int32."""
        return ops.arange(self.length * self.beams, dtype="int32") // self.beams

    def among_all(self, mask: Tensor) -> Tensor:
        """A mask (batch or 1, query, prefix rows) as one over the whole history, of whose further rows nobody sees any."""
        return ops.pad(mask, [[0, 0], [0, 0], [0, self.length * self.beams]], constant_values=False)

    def visible(self) -> Tensor:
        """Which rows of a history each beam may see: the prefix, those of its own ancestors, and this step's own.

        Shapes:
            → (batch or 1, beams, prefix rows + length · beams) boolean
        """
        own = self._own()
        if "prefix" not in self._entries:
            return own
        prefix = ops.expand_dims(self._entries["prefix"], 1)
        shape = (ops.shape(prefix)[0], self.beams)
        wide = [ops.broadcast_to(mask, (*shape, ops.shape(mask)[2])) for mask in (prefix, own)]
        return ops.concatenate(wide, axis=2)

    def _own(self) -> Tensor:
        """`visible` without the prefix."""
        slots = ops.expand_dims(ops.arange(self.length * self.beams, dtype="int32"), (0, 1))
        now = ops.cast(self.position, "int32") * self.beams
        if self.beams == 1:
            return ops.less_equal(slots, now)
        own = now + ops.expand_dims(ops.arange(self.beams, dtype="int32"), (0, 2))
        return ops.logical_or(self._entries["ancestry"], ops.equal(slots, own))

    def reorder(self, parents: Tensor) -> None:
        """Makes each beam the continuation of another: `parents` (batch, beams) int32, a beam of the same source."""
        if self.beams == 1:
            return
        self._entries["ancestry"] = gather_beams(self._own(), parents)
        for key, value in self._entries.items():
            if key.startswith("state/"):
                self._entries[key] = gather_beams(value, parents)

    def grown(self, length: int) -> Cache:
        """The same cache with room for more positions."""
        room = [[0, 0], [0, 0], [0, (length - self.length) * self.beams]]
        larger = self._twin()
        larger.length, larger._entries = length, dict(self._entries)
        for key, value in self._entries.items():
            if key == "ancestry":
                larger._entries[key] = ops.pad(value, room, constant_values=False)
            elif key.startswith("history/"):
                larger._entries[key] = ops.pad(value, [*room, [0, 0]])
        return larger

    def flat(self) -> dict[str, Tensor]:
        """What crosses the loop."""
        return dict(self._entries)

    def at(self, position: Tensor, flat: dict[str, Tensor]) -> Cache:
        """The handle for one step of a loop, over that step's tensors."""
        step = self._twin()
        step.position, step._entries = position, dict(flat)
        step._row = self._prefix_rows + position * self.beams
        return step

    def _twin(self) -> Cache:
        twin = object.__new__(Cache)
        twin.__dict__.update(self.__dict__)
        return twin
