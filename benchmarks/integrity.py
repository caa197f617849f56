"""What it costs that nothing wrong is trained on, saved or loaded: all of it, as a share of a run's time.

    python benchmarks/integrity.py [RECIPE] [key=value]…

The recipe (`quickstart` unless given) is prepared, then trained in a new folder, and the command is given once more, which
verifies the newest checkpoint as a run that goes on does. Counted are opening the prepared data (names, sizes and records of
every shard), the crc32 of each record read, sha256 of files, verifying checkpoints, and looking for numbers that are not
finite, on the host, in weights and before a checkpoint is written. Looking at the gradients is part of each step, one norm,
and not counted; nor are the hashes inside ArrayRecord, which nobody can turn off, but what reading takes with them is told.
Each call counts once, where it is outermost in its thread: in the main one, which waits for it, as the clock says; in the
reading one, which works beside the training and waits for a processor as often as that takes both, in seconds of a processor.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from measure import record

from kt2t.cli.main import run
from kt2t.data import records
from kt2t.data.prepared import Prepared
from kt2t.data.records import Records
from kt2t.recipe_file import load

READING = "reading"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="quickstart")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    asked = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    words = [asked.recipe, *asked.overrides]
    recipe = load(asked.recipe, asked.overrides)
    recipe.check()
    _done(["prepare", *words])
    with tempfile.TemporaryDirectory() as place, _counted() as seconds:
        begin = time.perf_counter()
        for _ in range(2):
            _done(["train", *words, "--run-dir", str(Path(place) / "run")])
        whole = time.perf_counter() - begin
    reading = seconds.pop(READING)
    total = sum(seconds.values())
    parts = {what: round(spent, 2) for what, spent in sorted(seconds.items(), key=lambda item: -item[1])}
    cells = {"result": f"{total / whole:.2%} of {whole:.0f} s"} if words == ["quickstart"] else {}
    record("integrity", cells, **{asked.recipe: {**parts, "reading": round(reading, 2), "whole": round(whole, 1)}})


def _done(words: list[str]) -> None:
    if status := run(words):
        raise SystemExit(status)


@contextlib.contextmanager
def _counted() -> Iterator[dict[str, float]]:
    """Seconds of each kind of check while this is open."""
    from kt2t.training import checkpoints
    from kt2t.training.trainer import Trainer

    seconds: dict[str, float] = defaultdict(float)
    inside = threading.local()

    def timed(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def within(*given: Any, **more: Any) -> Any:
            if getattr(inside, "now", False):
                return call(*given, **more)
            inside.now = what != READING  # in which a check stands
            waited_for = threading.current_thread() is threading.main_thread()
            clock = time.perf_counter if waited_for else time.thread_time
            begin = clock()
            try:
                return call(*given, **more)
            finally:
                inside.now = False
                seconds[what] += clock() - begin

        return within

    watched = (
        ("opening data", Prepared, "__init__"),
        (READING, Records, "read"),
        ("crc32 of records", records, "verify"),
        ("sha256", hashlib, "file_digest"),
        ("verifying checkpoints", checkpoints, "verify"),
        ("finite when saved", checkpoints, "_refuse_non_finite"),
        ("finite in training", Trainer, "check_numbers"),
    )
    with contextlib.ExitStack() as stack:
        for what, owner, name in watched:
            stack.enter_context(mock.patch.object(owner, name, timed(what, getattr(owner, name))))
        yield seconds


if __name__ == "__main__":
    main()
