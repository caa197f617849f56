"""Fills the disk at many sizes while a small run prepares, saves, writes summaries and answers; see what is left each time.

    python -m tests.campaigns.disk_full [--sizes 50]

Each size is a `tmpfs` of that many bytes (root on Linux, allowed to mount) that holds a finished start of the run and all
that is written, or of what is written the summaries alone, or the answers alone. Whatever the size: the status is 0 or 5,
one sentence says what could not be written, every checkpoint under its own name is whole, and those that were there before
still are. A disk that has no room for summaries alone ends no training.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kt2t.cli.main import run
from kt2t.training import checkpoints

RECIPE = """\
problem: {type: Reverse, symbols: 5, max_length: 4, evaluation_length: 6, train_examples: 600, validation_examples: 60}
model: {type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2, dropout: 0.1}
optimizer: {type: Adam, learning_rate: 0.01}
train: {steps: 2, batch: {rows: 16}, dtype: float32}
report: {every: 2, score: false, attention_maps: false, samples: 1}
"""
PAGE = 4096
ANSWERS = 14_000  # of at least a byte each: more than three pages


@contextlib.contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """A folder on a disk of `size` bytes.

    Raises:
        PermissionError: Mounting is not allowed here.
    """
    folder = Path(tempfile.mkdtemp())
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mounted, capture_output=True, text=True)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode:
        folder.rmdir()
        raise PermissionError("a tmpfs cannot be mounted here" + (f": {done.stderr.strip()}" if done else ""))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)
        folder.rmdir()


def started(place: Path) -> None:
    """Prepares the data, and trains two steps: what each disk begins with."""
    (place / "small.yaml").write_text(RECIPE, encoding="utf-8")
    status, said = _said(
        ["train", str(place / "small.yaml"), "--run-dir", str(place / "run"), "--data-dir", str(place / "data")]
    )
    if status:
        raise RuntimeError(said)


def going_on(place: Path, room: int) -> str:
    """The run goes on to step 8 where `room` bytes are left beside it."""
    used = _used(place / "run")
    with small_disk(used + room) as disk:
        shutil.copytree(place / "run", disk / "run")
        before = _good(disk / "run")
        words = ["train", str(place / "small.yaml"), "train.steps=8", "--run-dir", str(disk / "run")]
        status, said = _said([*words, "--data-dir", str(place / "data")])
        after = _good(disk / "run")
        if not after or max(after) < max(before):
            raise RuntimeError(f"{room} bytes: the last good checkpoint {before} is gone, there are {after}")
        whole = status == 0 and max(after) == 8
        return _judged(
            status, said, whole, f"went on to step {max(after)}" if whole else "stopped, the last good one is whole"
        )


def summing_up(place: Path, room: int) -> str:
    """The run goes on to step 8, and only TensorBoard's events lie on a disk of `room` bytes."""
    with small_disk(max(room, PAGE)) as disk, tempfile.TemporaryDirectory() as beside:
        shutil.copytree(place / "run", Path(beside) / "run")
        shutil.rmtree(Path(beside) / "run" / "tensorboard")
        (Path(beside) / "run" / "tensorboard").symlink_to(disk)
        words = ["train", str(place / "small.yaml"), "train.steps=8", "--run-dir", str(Path(beside) / "run")]
        status, said = _said([*words, "--data-dir", str(place / "data")])
        events = [path for path in disk.rglob("*") if path.is_file()]
        told = said.count("TensorBoard's events cannot be written")
        if status or max(_good(Path(beside) / "run")) != 8 or told > 2 or not all(map(_ends_with_a_record, events)):
            raise RuntimeError(f"{room} bytes for summaries: status {status}: {said}")
        return f"status 0, went on to step 8, {'some summaries lost, and said' if told else 'every summary written'}"


def _ends_with_a_record(events: Path) -> bool:
    """Whether a file of events holds whole records alone: length, checksum, event, checksum."""
    content, at = events.read_bytes(), 0
    while at < len(content):
        at += 16 + int.from_bytes(content[at : at + 8], "little")
    return at == len(content)


def preparing(place: Path, room: int) -> str:
    """The data is prepared on a disk of `room` bytes."""
    with small_disk(room) as disk:
        status, said = _said(["prepare", str(place / "small.yaml"), "--data-dir", str(disk)])
        names = [path.name for path in disk.rglob("*") if path.is_dir()] if status else []
        if any(disk.rglob("*.arrayrecord")) and status:
            raise RuntimeError(f"{room} bytes: a half-written {names} stays")
        return _judged(status, said, status == 0, "prepared" if status == 0 else "refused, nothing half-written")


def answering(place: Path, room: int, redirected: bool) -> str:
    """Answers go to a file on a disk of `room` bytes, as `--output` or a shell's `>` makes it."""
    with small_disk(max(room, PAGE)) as disk:
        command = [sys.executable, "-m", "kt2t", "predict", str(place / "run")]
        more = [] if redirected else ["--output", str(disk / "answers")]
        with open(disk / "answers" if redirected else os.devnull, "wb") as out:
            done = subprocess.run([*command, *more], input=b"1 2 3\n" * ANSWERS, stdout=out, stderr=subprocess.PIPE)
        said = done.stderr.decode()
        return _judged(done.returncode, said, done.returncode == 0, "answered" if done.returncode == 0 else "refused")


def _said(words: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            status = run(words)
        except SystemExit as end:
            status = int(end.code or 0)
    return status, said.getvalue()


def _judged(status: int, said: str, whole: bool, told: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith("kt2t: ")]
    fine = whole if status == 0 else status == 5 and len(lines) == 1 and "Traceback" not in said
    if not fine:
        raise RuntimeError(f"status {status}: {said}")
    return f"status {status}, {told}"


def _good(run_folder: Path) -> list[int]:
    """The steps of the checkpoints, each of which is whole."""
    return [checkpoints.verify(path).step for path in checkpoints.saved(run_folder / "checkpoints")]


def _used(folder: Path) -> int:
    """Bytes that a tmpfs gives to a folder: whole pages."""
    return sum(-(-path.stat().st_size // PAGE) * PAGE if path.is_file() else 0 for path in folder.rglob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, default=50)
    asked = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    begin = time.perf_counter()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        started(Path(place))
        one = _used(Path(place) / "run" / "checkpoints")
        for number in range(asked.sizes):
            if number % 5 == 3:
                room = PAGE * (1 + 4 * number)
                found[f"preparing: {preparing(Path(place), room)}"] += 1
            elif number % 10 == 4:
                found[f"answering: {answering(Path(place), PAGE * (1 + number // 10), number % 20 == 4)}"] += 1
            elif number % 10 == 9:
                found[f"summing up: {summing_up(Path(place), PAGE * (number // 10))}"] += 1
            else:
                room = int(one * 4 * number / asked.sizes)
                found[f"training on: {going_on(Path(place), room)}"] += 1
    for told, count in sorted(found.items()):
        print(f"{count:5}  {told}")
    print(f"{asked.sizes} sizes in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
