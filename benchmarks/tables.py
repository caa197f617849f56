"""Writes the tables of docs/ from `results/*.json`.

    python benchmarks/tables.py [--check]

A table of a page is recognised by its header, and has the rows of all results with these columns, in their order. With
`--check` nothing is written, and the status is 1 if a page does not show the results.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCS = ROOT / "docs"


def tables(results: Path = RESULTS) -> dict[str, list[str]]:
    """The lines of each table by its first one, the header."""
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(results.glob("*.json"))]
    found: dict[str, list[str]] = defaultdict(list)
    for result in sorted(kept, key=lambda one: one["order"]):
        header = _line(result["table"])
        found[header] = found[header] or [header, _line(["---"] * len(result["table"]))]
        found[header] += map(_line, result["rows"])
    return dict(found)


def page(text: str, known: dict[str, list[str]]) -> tuple[str, set[str]]:
    """A page with its known tables written anew, and their headers."""
    written: list[str] = []
    headers: set[str] = set()
    inside = False
    for line in text.splitlines():
        inside = inside and line.startswith("|")
        if line in known:
            written += known[line]
            headers.add(line)
            inside = True
        elif not inside:
            written.append(line)
    return "\n".join(written) + "\n", headers


def main(check: bool) -> int:
    known, shown, wrong = tables(), set(), []
    for file in sorted(DOCS.glob("*.md")):
        before = file.read_text(encoding="utf-8")
        after, headers = page(before, known)
        shown |= headers
        wrong += [file.name] if before != after else []
        if not check:
            file.write_text(after, encoding="utf-8")
    missing = [f"no page of docs/ has the table {header}" for header in sorted(set(known) - shown)]
    stale = [f"run python benchmarks/tables.py: {name} does not show the results" for name in wrong if check]
    for line in [*missing, *stale]:
        print(line)
    return 1 if missing or stale else 0


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
