"""Raw examples to record files: streaming, the same bytes each time, and either whole or not there.

Threads encode, so that what is written in C runs on all cores: subwords, and whatever a problem's `encode` leaves to
NumPy or a library. Pure Python (bytes, characters, words, symbols) stays on one; 100,000 captions take half a second
there, and processes would take as long to start.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.data.checks import checked_columns
from kt2t.data.location import exclusive, folder_for, source_notes
from kt2t.data.prepared import FORMAT, MANIFEST, seal
from kt2t.data.records import RecordWriter, layout_of
from kt2t.disk import clean, whole_folder, writing
from kt2t.errors import DataError, Kt2tError
from kt2t.registry import describe

CHUNK = 2048
OF_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
HELD_OUT_SHARE, HELD_OUT_MOST = 100, 2000

Example = dict[str, Any]
Progress = Callable[[int, "int | None", str], None]
logger = logging.getLogger("kt2t")


def prepare_folder(
    problem: Any, data_dir: str | Path | None = None, progress: Progress | None = None, workers: int | None = None
) -> Path:
    """The folder of a prepared problem; made if it is not there.

    Args:
        problem: The problem; its vocabularies are trained on the way if need be.
        data_dir: See `location.data_directory`.
        progress: Called with how many are done, of how many (None where unknown), and of what.
        workers: Threads that encode; all cores by default. The bytes written do not depend on it.

    Raises:
        DataError: Raw data is missing, damaged or filtered away.
        ResourceError: No space or no permission, or another process is preparing the same.
    """
    folder = folder_for(problem, data_dir)
    if (folder / MANIFEST).is_file():
        return folder
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        if (folder / MANIFEST).is_file():  # another process made it meanwhile
            return folder
        clean(folder.parent, folder.name)
        if folder.exists():
            raise DataError(f"'{folder}' has no {MANIFEST}, so kt2t did not make it. Move it away.")
        tell = progress or (lambda done, total, what: None)
        return whole_folder(folder, lambda aside: _build(problem, aside, tell, workers))


def kept_examples(
    problem: Any, split: str, held_out: Mapping[str, Any] | None, dropped: Counter[str] | None = None
) -> Iterator[Example]:
    """The raw examples of a split that have a record, in the order of the records; counts the others by reason.

    Raises:
        DataError: In place of whatever the problem's own code raises.
    """
    validating = split == "validation" and held_out is not None
    source = "train" if validating else split
    limit = held_out["limit"] if held_out is not None and split in ("train", "validation") else None
    number = 1
    try:
        for example in problem.examples(source):
            if limit is None or (text_hash(example) <= limit) == validating:
                reason = problem.reject(example)
                if reason is None:
                    yield example
                elif dropped is not None:
                    dropped[reason] += 1
            number += 1
    except Exception as error:
        if _is_told_already(error):
            raise
        raise _fault_of(problem, f"{source} example {number}", error) from error


def text_hash(example: Mapping[str, Any]) -> int:
    """64 bits that depend on the content of a raw example alone."""
    text = json.dumps(example, sort_keys=True, ensure_ascii=False, default=lambda value: np.asarray(value).tolist())
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def choose_held_out(examples: Iterable[Example]) -> dict[str, int]:
    """Which examples to hold out: 1 % (at least one, at most 2,000), those of the smallest hashes; equal texts stay together.

    Raises:
        DataError: There are fewer than two different examples.
    """
    counts: Counter[int] = Counter()
    total, ceiling = 0, 2**64
    for example in examples:
        total += 1
        number = text_hash(example)
        if number <= ceiling:
            counts[number] += 1
        if len(counts) > 2 * HELD_OUT_MOST:
            ceiling = sorted(counts)[HELD_OUT_MOST]
            counts = Counter({number: count for number, count in counts.items() if number <= ceiling})
    if len(counts) < 2:
        raise DataError(
            f"{len(counts)} different examples cannot be split in two. Name validation files or add examples."
        )
    wanted = min(HELD_OUT_MOST, max(1, total // HELD_OUT_SHARE))
    limit = records = 0
    for number in sorted(counts):
        if records and records + counts[number] > wanted:
            break
        limit, records = number, records + counts[number]
    return {"limit": limit, "records": records}


class _TrainingText:
    """The kept training examples, read anew each time they are iterated."""

    def __init__(self, problem: Any, held_out: Mapping[str, Any] | None, progress: Progress) -> None:
        self._arguments = problem, "train", held_out
        self._progress = progress

    def __iter__(self) -> Iterator[Example]:
        return _told(kept_examples(*self._arguments), self._progress, "reading text for the vocabulary")


def _build(problem: Any, folder: Path, progress: Progress, workers: int | None) -> None:
    sources = source_notes(problem, folder.parent)
    splits = list(problem.splits())
    held_out = None
    if "train" in splits and "validation" not in splits:
        counted = _told(kept_examples(problem, "train", None), progress, "choosing validation examples")
        try:
            held_out = choose_held_out(counted)
        except DataError:
            dropped: Counter[str] = Counter()
            deque(kept_examples(problem, "train", None, dropped), maxlen=0)
            if dropped:
                raise _none_left(problem, "train", dropped) from None
            raise
        splits.insert(1, "validation")
        logger.info("%s: %d training examples are held out for validation", type(problem).__name__, held_out["records"])
    problem.train_vocabularies(_TrainingText(problem, held_out, progress))
    vocabularies = _save_vocabularies(problem.vocabularies(), folder)
    features, stored = problem.features(), problem.stored()
    notes = {}
    for split in splits:
        notes[split] = _write_split(problem, split, folder, stored, held_out, progress, workers)
    manifest = {
        "format": FORMAT,
        "problem": describe(problem, full=True),
        "sources": sources,
        "fields": layout_of(stored),
        "features": describe(features, full=True),
        "vocabularies": vocabularies,
        "held_out": held_out,
        "splits": notes,
    }
    manifest = json.loads(json.dumps(manifest, default=str))  # the seal is of what a reader will see
    text = json.dumps({**manifest, "seal": seal(manifest)}, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _write_split(
    problem: Any,
    split: str,
    folder: Path,
    stored: Mapping[str, Any],
    held_out: Mapping[str, Any] | None,
    progress: Progress,
    workers: int | None,
) -> dict[str, Any]:
    dropped: Counter[str] = Counter()
    total = held_out["records"] if held_out is not None and split == "validation" else None
    writer = RecordWriter(folder, split, layout_of(stored))
    counts: Counter[str] = Counter()
    raw = kept_examples(problem, split, held_out, dropped)
    for chunk in _chunks(problem.cut(split, _encoded(problem, split, raw, counts, workers or os.cpu_count() or 1))):
        writer.write(checked_columns(chunk, stored, f"{split} example", writer.count))
        progress(writer.count, total, split)
    if not writer.count:
        raise _none_left(problem, split, dropped)
    if dropped:
        reasons = ", ".join(f"{count} with {reason}" for reason, count in dropped.items())
        logger.warning("%s %s: left out %s", type(problem).__name__, split, reasons)
    return {**writer.close(), "dropped": dict(dropped), "counts": dict(counts)}


def _encoded(
    problem: Any, split: str, raw: Iterator[Example], counts: Counter[str], workers: int
) -> Iterator[dict[str, np.ndarray]]:
    """The encoded examples of a split in their order; adds up what the problem counts."""

    def encode(numbered: tuple[int, Sequence[Example]]) -> tuple[list[dict[str, np.ndarray]], dict[str, int]]:
        number, chunk = numbered
        try:
            arrays = problem.encode_all(chunk)
            return arrays, problem.counted(chunk, arrays)
        except Exception as error:
            if _is_told_already(error):
                raise
            place, cause = _first_refused(problem, chunk, error)
            raise _fault_of(problem, f"{split} example {number * CHUNK + place} of those kept", cause) from cause

    for arrays, counted in _in_order(encode, enumerate(_chunks(raw)), workers):
        counts.update(counted)
        yield from arrays


def _first_refused(problem: Any, chunk: Sequence[Example], error: Exception) -> tuple[int, Exception]:
    """Which of some examples cannot be encoded, counted from 1, and what is raised for it."""
    for place, example in enumerate(chunk, 1):
        try:
            problem.encode_all([example])
        except Exception as own:
            return place, own
    return 1, error


def _is_told_already(error: Exception) -> bool:
    """Whether an error says itself what is wrong: one of ours, or one that tells of the machine."""
    return isinstance(error, Kt2tError | MemoryError) or isinstance(error, OSError) and error.errno in OF_MACHINE


def _fault_of(problem: Any, what: str, error: Exception) -> DataError:
    name = type(problem).__name__
    said = f"{type(error).__name__}: {error}".rstrip(".: ")
    return DataError(f"{what}: {name} ends with {said}. Mend the data or {name}; --debug tells the line.")


def _none_left(problem: Any, split: str, dropped: Mapping[str, int]) -> DataError:
    reasons = ", ".join(f"{count} with {reason}" for reason, count in dropped.items())
    told = reasons or "there were none to begin with"
    return DataError(f"no example of {type(problem).__name__} {split} is left: {told}. Check its files.")


def _save_vocabularies(vocabularies: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    saved: dict[int, str] = {}
    for field, vocabulary in vocabularies.items():
        if id(vocabulary) not in saved:
            saved[id(vocabulary)] = f"vocabulary-{field}" if saved else "vocabulary"
            vocabulary.save(folder / saved[id(vocabulary)])
        notes[field] = {"folder": saved[id(vocabulary)], "fingerprint": vocabulary.fingerprint}
    return notes


def _in_order(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
    """`function` of each item by several threads, in the order of the items, few of them waiting at a time."""
    if workers == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Any] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    examples = iter(examples)
    while chunk := list(itertools.islice(examples, CHUNK)):
        yield chunk


def _told(examples: Iterator[Example], progress: Progress, what: str) -> Iterator[Example]:
    for number, example in enumerate(examples, 1):
        if number % CHUNK == 0:
            progress(number, None, what)
        yield example
