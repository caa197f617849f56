"""Logs and saves the training batches whose gradients were not finite."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kt2t.data.reader import Batches
from kt2t.disk import whole_file, writing
from kt2t.errors import ResourceError
from kt2t.training.checkpoints import way_back

_SHOWN = 32
_SUSPECTS = 4
_logger = logging.getLogger("kt2t")


class BadBatches(keras.callbacks.Callback):
    """Callback that logs the records of each training step whose gradient was not finite, and saves the step's batch.

    The trainer skips the update of such a step, and looks for skipped steps every 16 steps. This callback makes it look
    at each epoch end too, so place it before `Checkpointing`. The log has one line per skipped step. It names records
    that contain values that are not finite; if there are none, records that are in all batches skipped so far. If
    training ends because of skipped steps, the last batch is always saved.

    A saved file `step-N.npz` holds the model's batch (`features/…`, `targets`, `sample_weight`). Its arrays `records`,
    `files` and `numbers` give, for each row, the index of its record in the split, the record's file, and its number in
    the file; -1 is a row of weight zero.

    Args:
        folder: Folder for the saved batches.
        batches: The training's `Batches`, the dataset whose `batch(n)` returns the batch of step n.
        checkpoints: The folder that `Checkpointing` writes to. An error that ends training names its newest checkpoint.
        keep: Maximum number of batches to save; later ones are only logged.
        writes: Whether this process writes and logs; with several workers, only one does.

    Raises:
        ValueError: `keep` is negative.
    """

    def __init__(
        self,
        folder: str | Path,
        batches: Batches,
        checkpoints: str | Path | None = None,
        keep: int = 10,
        writes: bool = True,
    ) -> None:
        super().__init__()
        if keep < 0:
            raise ValueError(f"keep: {keep} is negative. 0 keeps no batch.")
        self.folder = Path(folder)
        self.batches = batches
        self.checkpoints = checkpoints
        self.keep = keep
        self.writes = writes
        self._left_out = 0
        self._common: np.ndarray | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.model.on_not_finite = self.tell

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.check_numbers()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.model.check_numbers()
        self.model.on_not_finite = None

    def tell(self, steps: Sequence[int], ends: bool) -> str:
        """Logs and saves the batches of skipped steps, and returns a text for the error message that ends training.

        Args:
            steps: The skipped steps.
            ends: Whether training ends because of them.

        Returns:
            Sentences that name the last batch's file and the newest checkpoint; '' if training continues.
        """
        file = None
        if self.writes:
            for step in steps:
                file = self._told(step, ends and step == steps[-1])
        if not ends:
            return ""
        told = [f"The batch of step {steps[-1]} is in '{file}'."] if file else []
        return " ".join(told if self.checkpoints is None else [*told, way_back(self.checkpoints)])

    def _told(self, step: int, in_any_case: bool) -> Path | None:
        batch, indices = self.batches.batch(step), self.batches.plan.batch(step).indices
        file = self.folder / f"step-{step}.npz"
        kept = sorted(self.folder.glob("step-*.npz"))
        if file not in kept:
            wanted = in_any_case or len(kept) < self.keep
            file = self._write(file, step, batch, indices) if wanted else None  # type: ignore[assignment]
        told = f"step {step} was left out: a gradient was not finite. It was of "
        told += self._names(indices, most=_SHOWN if file else None)
        told += self._suspects(indices, indices[_not_finite_rows(batch, len(indices))])
        told += f"; kept in '{file}'" if file else ""
        if hasattr(self.model.optimizer, "inner_optimizer"):
            told += " (in float16 it may only be the loss scale, which then was halved)"
        _logger.warning("%s", told)
        return file

    def _write(self, file: Path, step: int, batch: Any, indices: np.ndarray) -> Path | None:
        places = iter(self.batches.records.places(indices[indices >= 0]))
        found = [next(places) if index >= 0 else ("", -1) for index in indices.flat]
        features, targets, weight = batch
        arrays: dict[str, Any] = {
            **_named("features", features),
            **_named("targets", targets),
            **_named("sample_weight", weight),
            "step": np.asarray(step),
            "records": indices,
            "files": np.asarray([name for name, _ in found]).reshape(indices.shape),
            "numbers": np.asarray([number for _, number in found]).reshape(indices.shape),
        }
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        try:
            with writing(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            return whole_file(file, content.getvalue())
        except ResourceError as error:  # training continues without the file
            _logger.warning("the batch of step %d is not kept: %s", step, error)
            return None

    def _suspects(self, indices: np.ndarray, not_finite: np.ndarray) -> str:
        self._left_out += 1
        self._common = indices.ravel() if self._common is None else np.intersect1d(self._common, indices)
        self._common = self._common[self._common >= 0]
        if (not_finite >= 0).any():
            return f"; not finite itself: {self._names(not_finite)}"
        if self._left_out > 1 and 0 < len(self._common) <= _SUSPECTS:
            return f"; in all {self._left_out} that were left out: {self._names(self._common)}"
        return ""

    def _names(self, indices: np.ndarray, most: int | None = None) -> str:
        """Returns `records 3, 17 of train-00000-of-00002.arrayrecord, 5 of train-00001-of-00002.arrayrecord`."""
        real = np.sort(indices[indices >= 0])
        by_file: dict[str, list[str]] = {}
        for name, number in self.batches.records.places(real[:most]):
            by_file.setdefault(name, []).append(str(number))
        told = ", ".join(f"{', '.join(numbers)} of {name}" for name, numbers in by_file.items())
        more = f" and {len(real) - most} more" if most is not None and len(real) > most else ""
        return f"record{'s' if len(real) > 1 else ''} {told}{more}"


def _named(name: str, value: Any) -> dict[str, np.ndarray]:
    if isinstance(value, Mapping):
        return {f"{name}/{key}": np.asarray(one) for key, one in value.items()}
    return {name: np.asarray(value)}


def _not_finite_rows(batch: Any, rows: int) -> np.ndarray:
    """Returns a boolean mask (rows,) of the rows of a batch that contain a float that is not finite."""
    found = np.zeros(rows, bool)
    for array in _arrays(batch):
        if array.dtype.kind == "f":
            found |= ~np.isfinite(array).reshape(rows, -1).all(1)
    return found


def _arrays(nest: Any) -> Iterator[np.ndarray]:
    if isinstance(nest, Mapping):
        nest = nest.values()
    elif not isinstance(nest, tuple | list):
        yield np.asarray(nest)
        return
    for one in nest:
        yield from _arrays(one)
