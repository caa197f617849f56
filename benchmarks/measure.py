"""How the benchmarks measure, and where they keep what they find.

A benchmark calls `record` with the figures that it has measured. They are kept in `results/NAME.json` together with the date,
the machine and the command, and `tables.py` writes the tables of docs/ from those files.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import resource
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

RESULTS = Path(__file__).resolve().parent / "results"
clock = time.perf_counter
STARTED = clock()


def seconds(work: Callable[[], Any]) -> float:
    """Seconds that a call takes by the clock."""
    begun = clock()
    work()
    return clock() - begun


def least(work: Callable[[], Any], times: int) -> float:
    """The seconds of the fastest of several calls: other work only ever adds to them."""
    return min(seconds(work) for _ in range(times))


@contextlib.contextmanager
def counted(*calls: tuple[str, Any, str]) -> Iterator[dict[str, float]]:
    """Adds up the seconds of some calls while this is open; a call within another counted one is not counted again.

    Args:
        calls: What the seconds are counted as, the module or class, and the name of its function. In the main thread they are
            those of the clock, in another one those that a processor worked.
    """
    found: dict[str, float] = defaultdict(float)
    inside = threading.local()

    def timed(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def within(*args: Any, **options: Any) -> Any:
            if getattr(inside, "now", False):
                return call(*args, **options)
            now = clock if threading.current_thread() is threading.main_thread() else time.thread_time
            inside.now, begun = True, now()
            try:
                return call(*args, **options)
            finally:
                inside.now = False
                found[what] += now() - begun

        return within

    with contextlib.ExitStack() as stack:
        for what, owner, name in calls:
            stack.enter_context(mock.patch.object(owner, name, timed(what, getattr(owner, name))))
        yield found


def prepared(name: str, *overrides: str) -> tuple[Any, Any]:
    """A recipe and its problem, whose data are prepared."""
    from kt2t.recipe_file import load
    from kt2t.run.assemble import problem_of

    recipe = load(name, overrides)
    recipe.check()
    (problem := problem_of(recipe)).prepare()
    return recipe, problem


def waiting(recipe: Any, problem: Any, steps: int) -> tuple[float, float]:
    """Trains some steps: the share of their time spent waiting for batches, and the real targets (such as tokens) a second."""
    from kt2t.run.assemble import assemble

    model = assemble(recipe, problem).model
    data = problem.batches("train", **recipe.train.batch)
    model.fit(data, steps_per_epoch=3, epochs=1, verbose=0)
    model.input_seconds = model.step_seconds = 0.0
    before = model.tokens_seen
    model.fit(data.at(3), steps_per_epoch=steps, epochs=1, verbose=0)
    whole = model.input_seconds + model.step_seconds
    return model.input_seconds / whole, (model.tokens_seen - before) / whole


def peak_mb() -> float:
    """The most memory that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def record(name: str, cells: dict[str, str] | None = None, row: str = "", **measured: Any) -> None:
    """Prints what was measured, and keeps it in `results/NAME.json`.

    Args:
        name: Of the file, which is there: a new figure begins with a file that names its table and its place there.
        cells: The text of cells of a row of the figure, by column.
        row: How the row's first cell begins, bold or not. A row that is not there yet is added.
        measured: The numbers themselves.
    """
    file = RESULTS / f"{name}.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    if cells:
        rows = [one for one in kept["rows"] if one[0].replace("*", "").startswith(row)]
        if not rows:
            rows = [[row, *[""] * (len(kept["table"]) - 1)]]
            kept["rows"] += rows
        for column, text in cells.items():
            rows[0][kept["table"].index(column)] = text
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    kept |= {
        "command": " ".join(["python", os.path.relpath(sys.argv[0], RESULTS.parent.parent), *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores of {''.join(names[:1]).partition(': ')[2]}, load {os.getloadavg()[0]:.1f}",
        "measured": {**kept.get("measured", {}), **measured},
    }
    file.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"figure": name, **measured}), flush=True)
