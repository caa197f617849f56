"""How the benchmarks measure, and where they keep what they find.

A benchmark calls `record` with the figures that it has measured. They are kept in `results/NAME.json` together with the date,
the machine and the command, and `tables.py` writes the tables of docs/ from those files.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def seconds(work: Callable[[], Any]) -> float:
    """Seconds that a call takes by the clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def least(work: Callable[[], Any], times: int) -> float:
    """The seconds of the fastest of several calls: other work on the machine only ever adds to them."""
    return min(seconds(work) for _ in range(times))


def in_turns(first: Callable[[], float], second: Callable[[], float], pairs: int) -> tuple[float, float, list[float]]:
    """Measures two things in turns, so that other work on the machine slows both down alike.

    Returns:
        The medians of both, and first over second of each pair, falling. Which one begins changes with every pair.
    """
    both = []
    for number in range(pairs):
        order = (first, second) if number % 2 == 0 else (second, first)
        found = [measure() for measure in order]
        both.append(tuple(found if number % 2 == 0 else reversed(found)))
    medians = [statistics.median(pair[place] for pair in both) for place in (0, 1)]
    return medians[0], medians[1], sorted((one / other for one, other in both), reverse=True)


def spread(ratios: list[float]) -> str:
    """The median of the ratios, and the range in which half of them lie."""
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return f"{statistics.median(ratios):.3f} (half of {len(ratios)} pairs from {low:.3f} to {high:.3f})"


def peak_mb() -> float:
    """The most memory that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> str:
    """The processor, the number of its cores, and how busy it is."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.processor()}, load {os.getloadavg()[0]:.1f}"


def record(name: str, cells: dict[str, str] | None = None, **measured: Any) -> None:
    """Prints what was measured, and keeps it in `results/NAME.json`.

    Args:
        name: Of the file, which is there: a new figure begins with a file that names its table and its place there.
        cells: The text of cells of the figure's row, by column. A figure of several rows, such as a race, is written by hand.
        measured: The numbers themselves.
    """
    file = RESULTS / f"{name}.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    for column, text in (cells or {}).items():
        (row,) = kept["rows"]
        row[kept["table"].index(column)] = text
    kept |= {
        "command": " ".join(["python", os.path.relpath(sys.argv[0], RESULTS.parent.parent), *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "measured": {**kept.get("measured", {}), **measured},
    }
    file.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"figure": name, **measured}), flush=True)


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
