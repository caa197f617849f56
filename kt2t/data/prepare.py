"""Turns raw examples into record files: streams, writes the same bytes each time, and leaves all or nothing.

Threads encode, so code in C uses all cores: subwords, and whatever a problem's `encode` leaves to NumPy or a library.
Pure Python (bytes, characters, words, symbols) uses one core; 100,000 captions take half a second there, and processes
would take as long to start.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kt2t.data.checks import checked_columns
from kt2t.data.content_hash import content_hash
from kt2t.data.held_out import choose_held_out
from kt2t.data.in_order import bytes_of, cores, in_order
from kt2t.data.location import exclusive, folder_for, say_reused, source_notes
from kt2t.data.prepared import FORMAT, MANIFEST, seal
from kt2t.data.records import RecordWriter, is_nested, layout_of
from kt2t.data.references import References
from kt2t.data.skipping import Skipped, encoded_or_skipped
from kt2t.data.transform import is_clear
from kt2t.disk import clean, whole_folder, writing
from kt2t.errors import DataError
from kt2t.features import Feature, flat
from kt2t.registry import describe

CHUNK = 2048  # the most examples that are encoded or written together,
CHUNK_BYTES = 4 * 2**20  # and about the most bytes of these
FIRST_CHUNK = 16  # examples, while nothing tells how large they are

Example = dict[str, Any]
Progress = Callable[[int, "int | None", str], None]
logger = logging.getLogger("kt2t")


def prepare_folder(
    problem: Any, data_dir: str | Path | None = None, progress: Progress | None = None, workers: int | None = None
) -> Path:
    """Makes the folder of a prepared problem if it does not exist, and returns it.

    Args:
        problem: The problem; its untrained vocabularies are trained on the way.
        data_dir: See `location.data_directory`.
        progress: Called with the number done, the total (None where unknown), and what is counted.
        workers: Threads that encode; all cores by default. The bytes written do not depend on it.

    Raises:
        DataError: Raw data is missing, damaged or all filtered out.
        ResourceError: No space or no permission, or another process is preparing the same problem.
    """
    folder = folder_for(problem, data_dir)
    if (folder / MANIFEST).is_file():
        say_reused(problem, folder)
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
    """Yields the raw examples of a split that have a record, in the order of the records.

    Args:
        problem: The problem.
        split: The split.
        held_out: What `choose_held_out` returned; None if nothing is held out.
        dropped: Counts the examples that are left out, by reason.

    Raises:
        DataError: In place of whatever the problem's own code raises.
    """
    validating = split == "validation" and held_out is not None
    source = "train" if validating else split
    limit = held_out["limit"] if held_out is not None and split in ("train", "validation") else None
    of_buffers = held_out is not None and held_out.get("buffers", False)
    number = 1
    try:
        for example in problem.examples(source):
            if limit is None or (content_hash(example, buffers=of_buffers)[0] <= limit) == validating:
                reason = problem.reject(example)
                if reason is None:
                    yield example
                elif dropped is not None:
                    dropped[reason] += 1
            number += 1
    except Exception as error:
        if is_clear(error):
            raise
        raise _fault_of(problem, f"{source} example {number}", error) from error


class _TrainingText:
    """The kept training examples; each iteration reads them again."""

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
    manifest = json.loads(json.dumps(manifest, default=str))  # the seal covers what a reader will see
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
    counts: Counter[str] = Counter()
    total = held_out["records"] if held_out is not None and split == "validation" else None
    writer = RecordWriter(folder, split, layout_of(stored))
    references = References(problem, folder, split) if _keeps_references(problem, split) else None
    raw = kept_examples(problem, split, held_out, dropped)
    encoded = _encoded(problem, split, raw, dropped, counts, references, workers or cores())
    for _, chunk in _Chunks(problem.cut(split, encoded)):
        _write(problem, writer, chunk, stored)
        progress(writer.count, total, split)
    if not writer.count:
        raise _none_left(problem, split, dropped)
    if dropped:
        reasons = ", ".join(f"{count} with {reason}" for reason, count in dropped.items())
        logger.warning("%s %s: left out %s", type(problem).__name__, split, reasons)
    note = {**writer.close(), "dropped": dict(dropped), "counts": dict(counts)}
    return note if references is None else {**note, "references": references.close()}


def _keeps_references(problem: Any, split: str) -> bool:
    """Only evaluation compares with references, and only where each example makes one record."""
    return split != "train" and problem.makes_one_record_each


def _write(problem: Any, writer: RecordWriter, chunk: Sequence[Mapping[str, Any]], stored: Mapping[str, Any]) -> None:
    fields: Mapping[str, Feature] = flat(stored)
    arrays = [flat(example) for example in chunk] if is_nested(stored) else chunk
    columns = checked_columns(arrays, fields, f"{writer.split} example", writer.count)
    lengths: dict[str, list[int]] = {}
    for example in chunk:
        for field, length in problem.transformed_lengths(example).items():
            lengths.setdefault(field, []).append(int(length))
    writer.write(columns, lengths)


def _encoded(
    problem: Any,
    split: str,
    raw: Iterator[Example],
    dropped: Counter[str],
    counts: Counter[str],
    references: References | None,
    workers: int,
) -> Iterator[dict[str, Any]]:
    """The encoded examples of a split in their order; adds up what the problem counts and writes references."""

    def encode(numbered: tuple[int, Sequence[Example]]) -> tuple[list[dict[str, Any]], dict[str, int], list[Any], Any]:
        first, chunk = numbered
        try:
            kept, arrays, errors = encoded_or_skipped(problem, chunk)
            lines = references.lines(kept, arrays) if references else []
            return arrays, problem.counted(kept, arrays), lines, errors
        except Exception as error:
            if is_clear(error):
                raise
            place, cause = _first_refused(problem, chunk, error)
            raise _fault_of(problem, f"{split} example {first + place} of those kept", cause) from cause

    chunks = _Chunks(raw, learns=True)
    skipped = Skipped(split, problem.skip)
    for arrays, counted, lines, errors in in_order(encode, chunks, workers):
        chunks.learn(arrays)
        skipped.add(errors)
        dropped.update({"damage": len(errors)} if errors else {})
        counts.update(counted)
        if references is not None:
            references.write(lines)
        yield from arrays


class _Chunks:
    """Groups items into chunks of about `CHUNK_BYTES`, judged by the chunk before; yields `(first number, chunk)`.

    Args:
        items: What to group.
        learns: Whether `learn` will be called; until then chunks stay small.
    """

    def __init__(self, items: Iterable[Any], learns: bool = False) -> None:
        self._items = iter(items)
        self._made: float | None = None if learns else 1.0

    def __iter__(self) -> Iterator[tuple[int, list[Any]]]:
        number, count = 0, min(FIRST_CHUNK, CHUNK)
        while chunk := list(itertools.islice(self._items, count)):
            size = bytes_of(chunk) / len(chunk)
            yield number, chunk
            number += len(chunk)
            if self._made is not None:
                count = max(1, min(CHUNK, int(CHUNK_BYTES / max(1.0, size, self._made))))

    def learn(self, made: Sequence[Any]) -> None:
        """Takes the size of what was made of a chunk into account, such as the recordings of some paths."""
        self._made = bytes_of(made) / max(1, len(made))


def _first_refused(problem: Any, chunk: Sequence[Example], error: Exception) -> tuple[int, Exception]:
    """The number of the first example that cannot be encoded, from 1, and the error that it raises."""
    for place, example in enumerate(chunk, 1):
        try:
            problem.encode_all([example])
        except Exception as own:
            return place, own
    return 1, error


def _fault_of(problem: Any, what: str, error: Exception) -> DataError:
    name = type(problem).__name__
    reason = f"{type(error).__name__}: {error}".rstrip(".: ")
    return DataError(f"{what}: {name} ends with {reason}. Mend the data or {name}; --debug tells the line.")


def _none_left(problem: Any, split: str, dropped: Mapping[str, int]) -> DataError:
    reasons = ", ".join(f"{count} with {reason}" for reason, count in dropped.items())
    reasons = reasons or "there were none to begin with"
    return DataError(f"no example of {type(problem).__name__} {split} is left: {reasons}. Check its files.")


def _save_vocabularies(vocabularies: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    saved: dict[int, str] = {}
    for field, vocabulary in vocabularies.items():
        if id(vocabulary) not in saved:
            saved[id(vocabulary)] = f"vocabulary-{field}" if saved else "vocabulary"
            vocabulary.save(folder / saved[id(vocabulary)])
        notes[field] = {"folder": saved[id(vocabulary)], "fingerprint": vocabulary.fingerprint}
    return notes


def _told(examples: Iterator[Example], progress: Progress, what: str) -> Iterator[Example]:
    for number, example in enumerate(examples, 1):
        if number % CHUNK == 0:
            progress(number, None, what)
        yield example
