"""Damages text files, and looks at how each reader of them answers.

    python -m tests.campaigns.fuzz_texts --seed 1 --count 10000

A case is one set of source files with one to three faults in bytes, lines or the gzip around them: texts
(`damaged_sources.py`: two parallel files, TSVs, JSON lines, a JSON list, a folder, the Penn Treebank's and WikiText's files,
lines to predict), and vocabularies and hparams (`damaged_vocabularies.py`). It is read to its end, in this process. It is
taken (exit status 0), and then what is read is right; or it is refused (3, and 2 for hparams) with the file's name and, unless
the whole file is at fault, the line. Anything else is counted as bad, and so are more than 2 seconds of work.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kt2t.errors import Kt2tError

from . import damaged_sources, damaged_vocabularies

SECONDS = 2.0
KINDS = {**damaged_sources.KINDS, **damaged_vocabularies.KINDS}
WHOLE_FILE = re.compile(
    r"is empty|holds an empty list|entry \d+ of the list|"
    r"damaged gzip|is named \.gz|has \d+ lines, |does not exist|no text files|no subword for|there is no text for|"
    r"vocabulary\.json|hparams\.json"
)


def fuzz(seed: int, count: int, folder: Path) -> dict[str, Any]:
    """What became of `count` damaged sources: counts by kind and answer, and the cases that were answered badly."""
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []
    for number in range(count):
        shutil.rmtree(folder / "case", ignore_errors=True)
        (folder / "case").mkdir()
        kind = chance.choice(sorted(KINDS))
        make, read = KINDS[kind]
        files = make(folder / "case", chance)
        for _ in range(chance.randint(1, 3)):
            _damage(chance.choice(files), chance)
        answer, error = _answered(read, files)
        counts[f"{kind}: {answer}"] += 1
        if answer not in ("0", "2" if kind == "hparams" else "3"):
            content = {file.name: file.read_bytes().hex()[:4000] for file in files}
            bad.append({"case": number, "kind": kind, "answer": answer, "error": error, "files": content})
    return {"seed": seed, "count": count, "counts": dict(sorted(counts.items())), "bad": bad}


def _answered(read: Callable[[list[Path]], bool], files: list[Path]) -> tuple[str, str | None]:
    began = time.process_time()
    try:
        right = read(files)
    except Kt2tError as error:
        text = str(error)
        if not any(file.name in text for file in files):
            return "without the file", text
        if error.line is None and not WHOLE_FILE.search(text):
            return "without the line", text
        if "\n" in text:
            return "more than one line", text
        return str(error.status), text
    except Exception as error:
        return f"status 70: {type(error).__name__}", str(error)
    if time.process_time() - began > SECONDS:
        return "slow", None
    return ("0", None) if right else ("OTHER TEXT", None)


def _damage(file: Path, chance: random.Random) -> None:
    data = bytearray(file.read_bytes())
    packed = data[:2] == b"\x1f\x8b" and chance.random() < 0.7
    if packed:
        try:
            data = bytearray(gzip.decompress(bytes(data)))
        except (OSError, EOFError, ValueError):
            packed = False
        except Exception:  # zlib's own
            packed = False
    data = _damaged(data, chance)
    file.write_bytes(gzip.compress(bytes(data), mtime=0) if packed else bytes(data))


def _damaged(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    how = chance.randrange(12)
    if how == 0 and data:
        data[at % len(data)] = chance.randrange(256)
    elif how == 1:
        data[at:at] = chance.choice(
            [b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b"\x1a"]
        )
    elif how == 2:
        del data[at:]
    elif how == 3:
        del data[at : at + chance.randint(1, 40)]
    elif how == 4:
        data[at:at] = data[: chance.randint(1, 200)]
    elif how == 5:
        return bytearray(bytes(data).replace(b"\n", b"\r\n"))
    elif how == 6:
        data[at:at] = chance.choice(
            [b"null\n", b"[]\n", b'{"inputs": 1}\n', b'{"inputs": "a", "targets": {}}\n', b"[" * 3000 + b"\n"]
        )
    elif how == 7:
        data[at:at] = chance.choice([b"''\n", b"'\n", b"'the_'\n", b"\n", b" \n", b"\t\t\n", b'"\n'])
    elif how == 8 and chance.random() < 0.05:
        data[at:at] = b"y" * 1_100_000
    elif how == 9:
        return data.rstrip(b"\n")
    elif how == 10 and chance.random() < 0.3:
        return bytearray()
    else:
        data[at:at] = chance.randbytes(chance.randint(1, 30))
    return data


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--show", type=int, default=20, help="how many badly answered cases to print")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(given.seed, given.count, Path(folder))
    for case in found["bad"][: given.show]:
        print(json.dumps(case, ensure_ascii=False), file=sys.stderr)
    print(json.dumps(found["counts"], indent=1))
    print(f"{given.count} sources, seed {given.seed}: {len(found['bad'])} answered badly")
    return int(bool(found["bad"]))


if __name__ == "__main__":
    sys.exit(main())
