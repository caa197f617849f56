"""A prepared problem on disk: its manifest, its records and its vocabularies, checked when opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kt2t.data.records import Records, damaged, file_note, open_shard
from kt2t.disk import is_plain_name
from kt2t.errors import DataError

FORMAT = 1
MANIFEST = "manifest.json"
_RENAMED = {"given": "prompt_length"}  # fields of records that were written under an earlier name


class Prepared:
    """An open prepared folder. Opening checks that every file exists and has the right size and number of records.

    Args:
        folder: A folder that `prepare` made.

    Raises:
        DataError: A file is missing, superfluous or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = _read_manifest(folder / MANIFEST)
        self._check_names()
        for path, note in self._files():
            self._check_size(path, note)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have records."""
        return tuple(self.manifest["splits"])

    def records(self, split: str) -> Records:
        """Opens the records of a split.

        Raises:
            DataError: No such split.
        """
        if split not in self.manifest["splits"]:
            raise DataError(f"{split!r} is not a split of '{self.folder}'. There are: {', '.join(self.splits)}.")
        layout = {_RENAMED.get(field, field): kind for field, kind in self.manifest["fields"].items()}
        return Records(self.folder, self.manifest["splits"][split], layout)

    def verify(self) -> None:
        """Reads every file and compares its sha256.

        Raises:
            DataError: A file is not what was written.
        """
        for path, note in self._files():
            found = file_note(path)["sha256"]
            if found != note["sha256"]:
                raise damaged(path, f"has sha256 {found}, expected {note['sha256']}")

    def restore_vocabularies(self, vocabularies: Mapping[str, Any]) -> None:
        """Restores a problem's vocabularies from the folder.

        Raises:
            DataError: A vocabulary is missing or damaged, or the problem has another one than the records were made with.
        """
        from kt2t.data.vocabularies.vocabulary import Vocabulary

        stored: dict[str, Vocabulary] = {}
        for field, note in self.manifest["vocabularies"].items():
            name = note["folder"]
            if not is_plain_name(name):
                raise damaged(self.folder / MANIFEST, f"names a vocabulary elsewhere: {str(name)[:80]!r}")
            if name not in stored:
                stored[name] = Vocabulary.load(self.folder / name)
            vocabulary = vocabularies.get(field)
            if vocabulary is not None and not (vocabulary.trained and vocabulary.fingerprint == note["fingerprint"]):
                vocabulary.restore(stored[name].contents())
            if vocabulary is None or vocabulary.fingerprint != note["fingerprint"]:
                found = "none" if vocabulary is None else vocabulary.fingerprint
                raise DataError(
                    f"the records of {field} in '{self.folder}' were made with the vocabulary {note['fingerprint']}; "
                    f"the problem's own is {found}. Prepare the problem again with its vocabulary."
                )

    def _files(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        for note in self.manifest["splits"].values():
            for file in (*note["shards"], note["lengths"], note.get("references", {})):
                if "file" in file:
                    yield self.folder / file["file"], file

    def _check_names(self) -> None:
        expected = {path.name for path, _ in self._files()}
        found = {path.name for path in self.folder.iterdir() if path.suffix in {".arrayrecord", ".npz", ".jsonl"}}
        for names, word in ((expected - found, "lacks"), (found - expected, "has, beyond its manifest,")):
            if names:
                raise damaged(self.folder / MANIFEST, f"does not fit: the folder {word} {', '.join(sorted(names))}")

    def _check_size(self, path: Path, note: Mapping[str, Any]) -> None:
        if path.is_symlink() or not path.is_file():
            raise damaged(path, "is no file any more")
        size, records = path.stat().st_size, note.get("records")
        what = f"{records} records in {note['bytes']} bytes" if records is not None else f"{note['bytes']} bytes"
        if size != note["bytes"]:
            raise damaged(path, f"has {size} bytes; expected {what}")
        if records is not None:
            found = open_shard(path).num_records()
            if found != records:
                raise damaged(path, f"has {found} records; expected {what}")


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"'{path}' does not exist. Prepare the problem to make it.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, f"cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else "none"
        raise damaged(path, f"has format {found}; this kt2t reads {FORMAT}")
    written = manifest.pop("seal", None)
    if written is None:
        raise damaged(path, "has no seal, so nothing tells whether it was changed")
    if written != seal(manifest):
        raise damaged(path, "was changed after it was written")
    if not {"splits", "fields", "vocabularies"} <= manifest.keys():
        raise damaged(path, "is not of a prepared problem")
    return manifest


def seal(manifest: Mapping[str, Any]) -> str:
    """Computes the sha256 of a manifest's content, in hexadecimal, by which a later change of the manifest is noticed."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
