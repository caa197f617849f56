"""Damages a prepared problem on disk, and looks at what is read of it.

    python -m tests.campaigns.fuzz_records --seed 1 --count 500

A case is one fault in one prepared folder: a file cut at any byte, emptied, deleted, a bit flipped, two files exchanged,
a file from elsewhere, or one too many. The folder is opened, its vocabularies are restored and every record of every
split is read. The fault is detected (a `DataError`, exit status 3, that names the file or the folder), or harmless: all
arrays are those of the undamaged folder. Anything else is counted as bad; other data without a word is the worst.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from kt2t.data.problem import Problem
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.data.vocabularies.subwords import Subwords
from kt2t.errors import DataError

LINES = 600


def fuzz(seed: int, count: int, folder: Path, lines: int = LINES) -> dict[str, Any]:
    """What became of `count` damages: counts by kind and answer, and the cases that were answered badly."""
    whole = _prepared(folder, lines)
    expected = _read(folder, whole)
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []
    for number in range(count):
        damaged = folder / "damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(whole, damaged)
        kind = chance.choice(sorted(KINDS))
        file, fault = KINDS[kind](damaged, chance)
        answer, error = _answered(folder, damaged, expected, file)
        counts[f"{kind}: {answer}"] += 1
        if answer not in ("detected", "harmless"):
            bad.append({"case": number, "kind": kind, "fault": fault, "answer": answer, "error": error})
    return {"seed": seed, "count": count, "counts": dict(sorted(counts.items())), "bad": bad}


def _prepared(folder: Path, lines: int) -> Path:
    text = folder / "train.tsv"
    text.write_text("".join(f"line {n} of {lines}\tZeile {n} von {lines}\n" for n in range(lines)))
    with mock.patch("kt2t.data.records.SHARD_BYTES", 30 * lines):
        return Path(_problem(folder).prepare(folder / "data"))


def _problem(folder: Path) -> Problem:
    return ParallelText(train_files=str(folder / "train.tsv"), vocabulary=Subwords(300))


def _read(folder: Path, prepared: Path) -> dict[str, Any]:
    problem = _problem(folder)
    problem.use(prepared)
    found: dict[str, Any] = {"vocabulary": problem.vocabularies()["inputs"].fingerprint}
    for split in problem.prepared.splits:
        records = problem.prepared.records(split)
        found[split] = records.read(np.arange(len(records)))
        found[f"{split} lengths"] = dict(records.lengths)
    return found


def _answered(folder: Path, damaged: Path, expected: dict[str, Any], file: Path) -> tuple[str, str | None]:
    try:
        found = _read(folder, damaged)
    except DataError as error:
        named = error.status == 3 and file.name in str(error)
        return ("detected" if named else "detected, not named"), f"{file.name}: {error}"
    except Exception as error:
        return f"status 70: {type(error).__name__}", str(error)
    return ("harmless" if _same(found, expected) else "OTHER DATA"), None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(np.array_equal(one, other))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _cut(folder: Path, chance: random.Random) -> tuple[Path, str]:
    file = chance.choice(_files(folder))
    data = file.read_bytes()
    at = chance.randrange(len(data))
    file.write_bytes(data[:at])
    return file, f"{file.name} cut at {at} of {len(data)}"


def _flip(folder: Path, chance: random.Random) -> tuple[Path, str]:
    file = chance.choice(_files(folder))
    data = bytearray(file.read_bytes())
    at, bit = chance.randrange(len(data)), chance.randrange(8)
    data[at] ^= 1 << bit
    file.write_bytes(data)
    return file, f"{file.name} bit {bit} of byte {at} of {len(data)}"


def _zeros(folder: Path, chance: random.Random) -> tuple[Path, str]:
    file = chance.choice(_files(folder))
    data = bytearray(file.read_bytes())
    at = chance.randrange(len(data))
    size = min(chance.choice([1, 16, 512, 4096]), len(data) - at)
    data[at : at + size] = bytes(size)
    file.write_bytes(data)
    return file, f"{file.name} {size} zeros from {at} of {len(data)}"


def _empty(folder: Path, chance: random.Random) -> tuple[Path, str]:
    file = chance.choice(_files(folder))
    file.write_bytes(b"")
    return file, f"{file.name} emptied"


def _delete(folder: Path, chance: random.Random) -> tuple[Path, str]:
    file = chance.choice(_files(folder))
    file.unlink()
    return file, f"{file.name} deleted"


def _append(folder: Path, chance: random.Random) -> tuple[Path, str]:
    file = chance.choice(_files(folder))
    file.write_bytes(file.read_bytes() + chance.randbytes(chance.choice([1, 100, 65536])))
    return file, f"{file.name} lengthened"


def _exchange(folder: Path, chance: random.Random) -> tuple[Path, str]:
    one, other = chance.sample(_files(folder), 2)
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    return Path(
        "arrayrecord" if one.suffix == other.suffix == ".arrayrecord" else ""
    ), f"{one.name} and {other.name} exchanged"


def _extra(folder: Path, chance: random.Random) -> tuple[Path, str]:
    one = chance.choice(_files(folder))
    extra = folder / chance.choice(["train-00009-of-00010.arrayrecord", "test.lengths.npz", "notes.txt", ".hidden"])
    shutil.copy(one, extra)
    return extra, f"{extra.name} added"


def _turned(folder: Path, chance: random.Random) -> tuple[Path, str]:
    file = chance.choice(_files(folder))
    file.unlink()
    if chance.random() < 0.5:
        file.mkdir()
        return file, f"{file.name} is a folder"
    file.symlink_to("/nowhere/at/all")
    return file, f"{file.name} is a link to nothing"


KINDS = {
    "cut": _cut, "bit": _flip, "zeros": _zeros, "emptied": _empty, "deleted": _delete, "lengthened": _append,
    "exchanged": _exchange, "extra": _extra, "turned": _turned,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(given.seed, given.count, Path(folder))
    for case in found["bad"]:
        print(json.dumps(case, ensure_ascii=False), file=sys.stderr)
    print(json.dumps(found["counts"], indent=1))
    print(f"{given.count} damages, seed {given.seed}: {len(found['bad'])} answered badly")
    return int(bool(found["bad"]))


if __name__ == "__main__":
    sys.exit(main())
