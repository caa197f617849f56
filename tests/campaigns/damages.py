"""What the campaigns of damaged raw data share: each kind of damage many times, and what counts as a good answer.

A case is one damaged set of raw files, which a problem prepares. Good answers are

* `named`: a DataError (exit status 3) that names the file, and nothing prepared is left behind,
* `same`: it is prepared, and what its records give is what the whole files gave,
* `unknowable`: it is prepared as another file that is as whole as the first; only a checksum could tell, and the format has
  none. Only kinds that say so may answer this.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kt2t.errors import DataError

Kind = Callable[[random.Random, Path], str]


def damage(kinds: Mapping[str, Kind], seed: int, count: int, folder: Path) -> dict[str, Any]:
    """Each kind of damage `count` times: counts by kind and answer, and the cases that were answered badly."""
    counts: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []
    for name, kind in kinds.items():
        for number in range(count):
            shutil.rmtree(folder / "case", ignore_errors=True)
            (folder / "case").mkdir(parents=True)
            try:
                answer = kind(random.Random(f"{seed} {name} {number}"), folder / "case")
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            good = answer in ("named", "same") or answer == "unknowable" and getattr(kind, "may_be_unknowable", False)
            counts[f"{name}: {answer if good else 'bad'}"] += 1
            if not good:
                bad.append({"kind": name, "case": number, "answer": answer})
    return {"seed": seed, "count": count, "counts": dict(sorted(counts.items())), "bad": bad}


def unknowable(kind: Kind) -> Kind:
    """Marks a kind of damage that the format itself cannot always tell."""
    kind.may_be_unknowable = True  # type: ignore[attr-defined]
    return kind


def prepared(problem: Any, folder: Path, *names: str) -> str:
    """`named`, or empty where the problem could be prepared.

    Raises:
        AssertionError: The error names none of these files, or something is left behind.
    """
    try:
        problem.prepare(folder / "data")
    except DataError as error:
        assert error.status == 3
        assert any(name in str(error) for name in names), f"{error} names none of {names}"
        left = (
            [path.name for path in (folder / "data").glob("*") if path.is_dir()] if (folder / "data").exists() else []
        )
        assert not left, f"{left} is left behind"
        return "named"
    return ""


def cut(data: bytes, chance: random.Random) -> bytes:
    """The data without its end."""
    return data[: chance.randrange(len(data))]


def flipped(data: bytes, chance: random.Random, first: int = 0) -> bytes:
    """The data with one to three bits flipped, from byte `first` on."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(first, len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def main(kinds: Mapping[str, Kind]) -> None:
    """The command line of a campaign; prints JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500, help="of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = damage(kinds, options.seed, options.count, Path(folder))
    print(json.dumps(found, indent=1, ensure_ascii=False))
    raise SystemExit(bool(found["bad"]))
