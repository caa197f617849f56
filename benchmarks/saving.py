"""What a checkpoint costs: seconds for each part of saving the model `base` of `contestants.py`, and its share of a run.

    python benchmarks/saving.py [folder] [config]

The model has 6 + 6 layers of 512, a vocabulary of 8,192 and Adam's slots; a run saves it every 500 steps, which take a second
each. Each figure is the least of five saves: a machine that others load only ever adds to it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import safetensors.numpy
from contestants import SIZES, OnKeras
from measure import counted, record, seconds

from kt2t import disk
from kt2t.training import checkpoints, manifest

PARTS = (
    ("copying to the host", checkpoints, "_values"),
    ("looking for numbers not finite", checkpoints, "_refuse_non_finite"),
    ("writing safetensors", safetensors.numpy, "save_file"),
    ("sha256", manifest, "sha256"),
    ("fsync", disk, "_sync"),
)


def saved(folder: Path, model: Any, number: int) -> dict[str, float]:
    """Seconds of each part of one save."""
    with counted(*PARTS) as parts:
        whole = seconds(lambda: checkpoints.save(folder, model, number))
    removing = seconds(lambda: checkpoints.prune(folder, keep_last=1))
    return {**parts, "all of it": whole, "removing the one before": removing}


def main(place: str | None = None, config: str = "base") -> None:
    model = OnKeras(SIZES[config], "float32").model
    model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        saves = [saved(folder, model, number) for number in range(6)][1:]  # the first had none before it to remove
        path = checkpoints.saved(folder)[-1]
        verified = seconds(lambda: checkpoints.verify(path))
        size = sum(file["size"] for file in checkpoints.verify(path).files.values())
    least = {part: round(min(save[part] for save in saves), 3) for part in saves[0]}
    spent = least["all of it"] + least["removing the one before"]
    cells = {"result": f"{spent:.2f} s: {spent / 500:.2%} of 500 steps of 1 s"} if config == "base" else {}
    record("saving", cells, megabytes=round(size / 1e6), verifying=round(verified, 3), **least)


if __name__ == "__main__":
    main(*sys.argv[1:])
