"""What a checkpoint costs: seconds for each part of saving `transformer_base`, and its share of the steps between two.

    python benchmarks/saving.py [--folder DIR] [--step-seconds 1.0] [--every 500] [--times 5]

The model has 6 + 6 layers of 512, a vocabulary of 8,000 and Adam's slots. Each figure is the least of several saves: a
machine that others load only ever adds to it.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import keras
from measure import record, seconds

import kt2t
from kt2t import disk
from kt2t.features import Text
from kt2t.training import checkpoints, manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, help="Where to write; the system's folder for temporary files by default."
    )
    parser.add_argument("--step-seconds", type=float, default=1.0, help="What a training step of this model takes.")
    parser.add_argument("--every", type=int, default=500, help="Steps between two checkpoints.")
    parser.add_argument("--times", type=int, default=5, help="How often to save.")
    asked = parser.parse_args()

    model = _base()
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    saves = []
    try:
        for number in range(1 + asked.times):
            with _parts() as parts:
                parts["all of it"] = seconds(lambda number=number: checkpoints.save(folder, model, number))
            parts["removing the one before"] = seconds(lambda: checkpoints.prune(folder, keep_last=1))
            saves.append(dict(parts))
        del saves[0]  # which had none before it to remove
        path = checkpoints.saved(folder)[-1]
        verified = seconds(lambda: checkpoints.verify(path))
        size = sum(file["size"] for file in checkpoints.verify(path).files.values())
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    least = {part: round(min(save.get(part, 0.0) for save in saves), 3) for part in saves[0]}
    spent, between = least["all of it"] + least["removing the one before"], asked.every * asked.step_seconds
    text = f"{spent:.2f} s: {spent / between:.2%} of {asked.every} steps of {asked.step_seconds:g} s"
    record("saving", {"result": text}, megabytes=round(size / 1e6), verifying=round(verified, 3), **least)


def _base() -> Any:
    features = {"inputs": Text(8000), "targets": Text(8000)}
    model = kt2t.models.Transformer(features, num_layers=6, hidden_dim=512, intermediate_dim=2048, num_heads=8)
    model.build()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=kt2t.losses.CrossEntropy())
    model.optimizer.build(model.trainable_variables)
    return model


@contextlib.contextmanager
def _parts() -> Iterator[dict[str, float]]:
    """Seconds by part of what is saved within."""
    import safetensors.numpy

    seconds: dict[str, float] = defaultdict(float)
    parts = (
        (checkpoints, "_values", "copying to the host"),
        (checkpoints, "_refuse_non_finite", "looking for numbers not finite"),
        (safetensors.numpy, "save_file", "writing safetensors"),
        (manifest, "sha256", "sha256"),
        (disk, "_sync", "fsync"),
    )
    with contextlib.ExitStack() as stack:
        for module, name, part in parts:
            stack.enter_context(mock.patch.object(module, name, _timed(getattr(module, name), part, seconds)))
        yield seconds


def _timed(function: Any, part: str, seconds: dict[str, float]) -> Any:
    def timed(*args: Any, **kwargs: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[part] += time.perf_counter() - begin

    return timed


if __name__ == "__main__":
    main()
