"""References: kept at prepare, rebuilt from records where these can give them back."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from kt2t.data.language.text_files import TextFiles
from kt2t.data.prepared import seal
from kt2t.data.problem import Problem
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.data.vocabularies import ClosedWords, Subwords
from kt2t.errors import DataError
from kt2t.features import Image, Label, Tags, Text
from kt2t.registry import register

ROWS = [("a  b", "Ａ full width"), ("c d", "plain"), ("e", "x \u2028 y"), ("f \ud83d", "surrogate")]


@pytest.fixture
def files(tmp_path):
    for name in ("train", "validation"):
        path = tmp_path / f"{name}.tsv"
        path.write_text("".join(f"{s}\t{t}\n" for s, t in ROWS[:3] * 20), encoding="utf-8")
    return {f"{name}_files": str(tmp_path / f"{name}.tsv") for name in ("train", "validation")}


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_texts_that_come_back_from_records_are_not_kept_twice(tmp_path, files):
    problem = ParallelText(**files)
    folder = problem.prepare(tmp_path / "data")
    splits = problem.prepared.manifest["splits"]
    assert splits["validation"]["references"] == {"fields": ["inputs", "targets"]} and "references" not in splits["train"]
    assert not list(folder.glob("*.jsonl"))
    assert problem.references("validation") == [{"inputs": s, "targets": t} for s, t in ROWS[:3] * 20]


def test_texts_that_a_vocabulary_changes_are_kept(tmp_path, files):
    problem = ParallelText(**files, vocabulary=ClosedWords())
    problem.prepare(tmp_path / "data")
    note = problem.prepared.manifest["splits"]["validation"]["references"]
    path = problem.prepared.folder / "validation.references.jsonl"
    assert note["file"] == path.name and note["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    assert len(kept) == 60 and kept[0]["inputs"] == "a  b" and "targets" not in kept[1]
    wanted = [{"inputs": s, "targets": t} for s, t in ROWS[:3] * 20]
    assert problem.references("validation") == wanted
    assert digests(problem.prepared.folder) == digests(
        ParallelText(**files, vocabulary=ClosedWords()).prepare(tmp_path / "again")
    )
    problem.examples = None  # the raw data is not read
    assert problem.references("validation") == wanted
    assert {tuple(one) for one in problem.references("validation")} == {("inputs", "targets")}


def test_a_problem_trained_subwords_keeps_what_they_normalise(tmp_path, files):
    problem = ParallelText(**files, vocabulary=Subwords(280))
    problem.prepare(tmp_path / "data")
    assert problem.references("validation") == [{"inputs": s, "targets": t} for s, t in ROWS[:3] * 20]


def test_a_folder_that_was_prepared_without_them_reads_the_raw_data(tmp_path, files):
    problem = ParallelText(**files)
    folder = problem.prepare(tmp_path / "data")
    manifest = json.loads((folder / "manifest.json").read_text())
    for split in manifest["splits"].values():
        split.pop("references", None)
    del manifest["seal"]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "seal": seal(manifest)}))
    again = ParallelText(**files)
    again.use(folder)
    assert again.references("validation") == problem.references("validation")
    assert again.references("train") == problem.references("train")


@pytest.mark.parametrize("how", ["cut", "changed", "missing", "superfluous"])
def test_a_damaged_file_is_named(tmp_path, files, how):
    problem = ParallelText(**files, vocabulary=ClosedWords())
    folder = problem.prepare(tmp_path / "data")
    path = folder / "validation.references.jsonl"
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "superfluous":
        (folder / "test.references.jsonl").write_bytes(content)
    else:
        path.write_bytes(content[:-3] if how == "cut" else content.replace(b"a  b", b"a  c", 1))
    with pytest.raises(DataError, match="test.references" if how == "superfluous" else "validation.references"):
        again = ParallelText(**files, vocabulary=ClosedWords())
        again.use(folder)
        again.references("validation")


@register
class Judged(Problem):
    """Words and a picture in; tags and a topic, given by name, out; an identifier beside them."""

    def examples(self, split):
        for number in range(40):
            words = [2 + (number + place) % 5 for place in range(1 + number % 3)]
            topic = ("sea", "land")[number % 2]
            yield {
                "inputs": words,
                "picture": np.full((2, 2, 1), number, np.uint8),
                "targets": {"tags": [1 + word % 2 for word in words], "topic": topic},
                "id": number,
                "source": b"raw",
            }

    def encode(self, example):
        targets = example["targets"]
        return {
            "inputs": np.array(example["inputs"]),
            "picture": example["picture"],
            "targets": {"tags": np.array(targets["tags"]), "topic": np.array(("sea", "land").index(targets["topic"]))},
        }

    def features(self):
        return {"inputs": Text(9), "picture": Image(2, 2, 1), "targets": {"tags": Tags(2), "topic": Label(2)}}

    def decode(self, field, ids):
        if field == "targets.topic":
            return ("sea", "land")[int(ids)]
        return np.asarray(ids).tolist()


def test_references_of_any_kind_of_field(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path))
    found = Judged().references("validation")
    for example, reference in zip(Judged().examples("validation"), found, strict=True):
        assert reference == {
            "inputs": example["inputs"],
            "targets": example["targets"],
            "id": str(example["id"]),
        }, "no picture that is only read, no bytes"


def test_windows_of_a_text_have_none(tmp_path):
    (tmp_path / "text.txt").write_text("some words\n" * 200)
    problem = TextFiles(path=str(tmp_path / "text.txt"), length=16)
    problem.prepare(tmp_path / "data")
    assert "references" not in problem.prepared.manifest["splits"]["validation"]
