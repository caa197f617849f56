"""The state of decoding: a flat dict of tensors behind one object."""

from __future__ import annotations

from typing import Any

from keras import ops

from kt2t.ops.beams import gather_beams

Tensor = Any


class Cache:
    """Holds the state of a decoder from step to step; every entry has its final shape before the loop starts.

    A loop carries `flat()`, a dict of tensors; inside the loop `at` wraps it in a `Cache` again. There are three kinds
    of entry; the first part of the key names the kind:

    * `memory`: belongs to a source and is shared by its beams. It is written once (`remember`) and never moved.
    * `history`: has one row for each position and beam of a source (`reserve`, `append`). It is never moved either. When
      one beam continues another, only `ancestry` changes: the booleans that say which rows a beam may see. The rows of
      a `prefix` come first, before the loop.
    * `state`: has one row for each beam (`write`) and moves with the beams. Recurrent layers use it.

    Args:
        length: Number of output positions that there is room for; `grown` makes room for more.
        beams: Number of hypotheses for each source.
        batch: Number of sources; a number or a scalar tensor.
        prefix: (batch, rows) boolean, True = real: positions before the output in the same sequence. The first `append`
            writes their rows, which all beams see.
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
        """Rebuilds a cache from the tensors that `flat()` returned for the same length, for example in another graph."""
        prefix = flat.get("prefix")
        cache = Cache(None, length, 1, prefix)
        cache.beams, cache._entries = beams, dict(flat)
        return cache

    def child(self, name: Any) -> Cache:
        """Returns a view of this cache that puts `name` before the name of each entry. A layer passes it to a sublayer."""
        below = self._twin()
        below._prefix = f"{self._prefix}{name}."
        return below

    def remember(self, name: str, value: Tensor) -> None:
        """Stores a tensor (batch, …) that belongs to the source and is shared by its beams."""
        self._entries[f"memory/{self._prefix}{name}"] = value

    def reserve(self, name: str, heads: int, depth: int, dtype: str, every: int = 1) -> None:
        """Reserves a history (batch, heads, rows, depth): the rows of the prefix, then one per position and beam.

        With `every` greater than 1, as many positions share the row of their beam, and there may be no prefix.
        """
        shape = (self._batch, heads, self._prefix_rows + -(-self.length // every) * self.beams, depth)
        self._entries[self._history(name, every)] = ops.zeros(shape, dtype=dtype)

    def append(self, name: str, value: Tensor, every: int = 1) -> Tensor:
        """Writes this step's rows (batch, heads, beams, depth) and returns the whole history.

        With `every` greater than 1, a row keeps what the last of its positions wrote; `visible_blocks` shows full rows.
        """
        key = self._history(name, every)
        entry = self._entries[key]
        row = ops.cast(self._row, "int32")
        row = row if every == 1 else row // (every * self.beams) * self.beams
        self._entries[key] = ops.slice_update(entry, (0, 0, row, 0), ops.cast(value, entry.dtype))
        return self._entries[key]

    def keep(self, name: str, shape: tuple[int, ...], dtype: str, value: Tensor | None = None) -> None:
        """Creates a state with one row per beam, such as the state of a recurrent layer or the window of a convolution.

        Args:
            name: The name of the entry.
            shape: The shape of a row.
            dtype: The dtype of a row.
            value: (batch, *shape), the initial value for every beam, such as the state after a prefix; zeros if None.
        """
        whole = (self._batch, self.beams, *shape)
        if value is None:
            self.write(name, ops.zeros(whole, dtype=dtype))
        else:
            self.write(name, ops.broadcast_to(ops.expand_dims(ops.cast(value, dtype), 1), whole))

    def write(self, name: str, value: Tensor) -> None:
        """Replaces the state `name` of each beam by `value` (batch, beams, …)."""
        self._entries[f"state/{self._prefix}{name}"] = value

    def read(self, name: str) -> Tensor:
        """Returns the entry called `name`, of whichever kind; raises a KeyError if there is none."""
        for kind in ("memory", "state", "history"):
            if f"{kind}/{self._prefix}{name}" in self._entries:
                return self._entries[f"{kind}/{self._prefix}{name}"]
        raise KeyError(f"{self._prefix}{name}")

    def holds(self, name: str) -> bool:
        """Returns True if there is an entry of kind `memory` called `name`."""
        return f"memory/{self._prefix}{name}" in self._entries

    def place(self) -> Tensor:
        """Returns the position of this step in its sequence, counted from the start of the prefix: (batch or 1, 1) int32."""
        position = ops.reshape(ops.cast(self.position, "int32"), (1, 1))
        if "prefix" not in self._entries:
            return position
        return position + ops.sum(ops.cast(self._entries["prefix"], "int32"), axis=1, keepdims=True)

    def positions(self) -> Tensor:
        """Returns the position of each row of a history that has no prefix: (length · beams,) int32."""
        return ops.arange(self.length * self.beams, dtype="int32") // self.beams

    def among_all(self, mask: Tensor) -> Tensor:
        """Extends a mask over the prefix, (batch or 1, query, prefix rows), to the whole history; later rows stay hidden."""
        return ops.pad(mask, [[0, 0], [0, 0], [0, self.length * self.beams]], constant_values=False)

    def visible(self) -> Tensor:
        """Returns a mask of the history rows that each beam may see: the prefix, its ancestors' rows, its row of this step.

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

    def visible_blocks(self, every: int) -> Tensor:
        """Returns a mask of the rows, shared by `every` positions, that each beam may see: those full before this step.

        Shapes:
            → (batch or 1, beams, ⌈length / every⌉ · beams) boolean
        """
        own = self._own()
        whole = self.length // every
        rows = ops.reshape(own, (ops.shape(own)[0], -1, self.length, self.beams))
        rows = rows[:, :, : whole * every][:, :, every - 1 :: every]
        full = (ops.arange(whole, dtype="int32") + 1) * every <= ops.cast(self.position, "int32")
        rows = ops.logical_and(rows, ops.expand_dims(full, (0, 1, 3)))
        rows = ops.pad(rows, [[0, 0], [0, 0], [0, -(-self.length // every) - whole], [0, 0]], constant_values=False)
        return ops.reshape(rows, (ops.shape(rows)[0], -1, -(-self.length // every) * self.beams))

    def _history(self, name: str, every: int) -> str:
        """Returns the key of a history; it ends in @N if N positions share a row."""
        return f"history/{self._prefix}{name}" + (f"@{every}" if every > 1 else "")

    def _own(self) -> Tensor:
        """Computes the mask of `visible` for the rows behind the prefix."""
        slots = ops.expand_dims(ops.arange(self.length * self.beams, dtype="int32"), (0, 1))
        now = ops.cast(self.position, "int32") * self.beams
        if self.beams == 1:
            return ops.less_equal(slots, now)
        own = now + ops.expand_dims(ops.arange(self.beams, dtype="int32"), (0, 2))
        return ops.logical_or(self._entries["ancestry"], ops.equal(slots, own))

    def reorder(self, parents: Tensor) -> None:
        """Replaces the content of each beam by that of its parent: `parents` (batch, beams) int32 are beams of one source."""
        if self.beams == 1:
            return
        self._entries["ancestry"] = gather_beams(self._own(), parents)
        for key, value in self._entries.items():
            if key.startswith("state/"):
                self._entries[key] = gather_beams(value, parents)

    def grown(self, length: int) -> Cache:
        """Returns a copy of the cache with room for `length` positions, where `length` is not smaller than before."""
        larger = self._twin()
        larger.length, larger._entries = length, dict(self._entries)
        for key, value in self._entries.items():
            if key == "ancestry":
                larger._entries[key] = ops.pad(value, [[0, 0], [0, 0], self._room(length, 1)], constant_values=False)
            elif key.startswith("history/"):
                every = int(key.rpartition("@")[2]) if "@" in key else 1
                larger._entries[key] = ops.pad(value, [[0, 0], [0, 0], self._room(length, every), [0, 0]])
        return larger

    def _room(self, length: int, every: int) -> list[int]:
        """Returns the padding that makes a history as long as `length` positions, of which `every` share a row."""
        return [0, (-(-length // every) - -(-self.length // every)) * self.beams]

    def flat(self) -> dict[str, Tensor]:
        """Returns all entries as a dict of tensors, which a loop can carry."""
        return dict(self._entries)

    def at(self, position: Tensor, flat: dict[str, Tensor]) -> Cache:
        """Returns a `Cache` at step `position`, with the tensors that the loop carries (see `flat`)."""
        step = self._twin()
        step.position, step._entries = position, dict(flat)
        step._row = self._prefix_rows + position * self.beams
        return step

    def _twin(self) -> Cache:
        twin = object.__new__(Cache)
        twin.__dict__.update(self.__dict__)
        return twin
