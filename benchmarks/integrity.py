"""What it costs that nothing wrong is trained on, saved or loaded: all of it, as a share of a run's time.

    python benchmarks/integrity.py [RECIPE] [key=value]…

The recipe (`quickstart` unless given) is prepared, then trained in a new folder, and the command is given once more, which
verifies the newest checkpoint as a run that goes on does. Counted are opening the prepared data (names, sizes and records of
every shard), the crc32 of each record read, sha256 of files, verifying checkpoints, and looking for numbers that are not
finite, on the host, in weights and before a checkpoint is written. Looking at the gradients is part of each step, one norm,
and not counted; nor are the hashes inside ArrayRecord, which nobody can turn off. The reading thread works beside the
training, so its seconds are those of a processor (`measure.counted`).
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

from measure import counted, record, seconds

from kt2t.cli.main import run
from kt2t.data import records
from kt2t.data.prepared import Prepared


def done(words: list[str]) -> None:
    if status := run(words):
        raise SystemExit(status)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    words = sys.argv[1:] or ["quickstart"]
    done(["prepare", *words])
    from kt2t.training import checkpoints
    from kt2t.training.trainer import Trainer

    watched = (
        ("opening data", Prepared, "__init__"),
        ("crc32 of records", records, "verify"),
        ("sha256", hashlib, "file_digest"),
        ("verifying checkpoints", checkpoints, "verify"),
        ("finite when saved", checkpoints, "_refuse_non_finite"),
        ("finite in training", Trainer, "check_numbers"),
    )
    with tempfile.TemporaryDirectory() as place, counted(*watched) as found:
        train = ["train", *words, "--run-dir", str(Path(place) / "run")]
        whole = sum(seconds(lambda: done(train)) for _ in range(2))
    parts = {what: round(spent, 2) for what, spent in sorted(found.items(), key=lambda item: -item[1])}
    cells = {"result": f"{sum(found.values()) / whole:.2%} of {whole:.0f} s"} if words == ["quickstart"] else {}
    record("integrity", cells, **{words[0]: {**parts, "whole": round(whole, 1)}})


if __name__ == "__main__":
    main()
