"""Preparing: the same bytes each time, whole or not at all, with every loss counted and said."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from kt2t.data.content_hash import content_hash
from kt2t.data.language.running_text import PromptLength
from kt2t.data.location import exclusive, folder_for
from kt2t.data.prepare import FIRST_CHUNK, _Chunks, kept_examples, prepare_folder
from kt2t.data.prepared import Prepared
from kt2t.data.problem import Problem
from kt2t.data.records import RecordWriter
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.data.vocabularies.characters import Characters
from kt2t.data.vocabularies.words import Words
from kt2t.errors import DataError, ResourceError
from kt2t.features import Audio, Label, Tags, Text
from kt2t.registry import register

ROOT = Path(__file__).resolve().parents[2]


def tsv(path, count, start=0):
    path.write_text("".join(f"line {n}\tZeile {n}\n" for n in range(start, start + count)))
    return str(path)


def problem(tmp_path, count=300, **options):
    return ParallelText(train_files=tsv(tmp_path / "train.tsv", count), **options)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_bytes_depend_neither_on_workers_nor_on_time(tmp_path, monkeypatch):
    monkeypatch.setattr("kt2t.data.prepare.CHUNK", 7)
    one = prepare_folder(problem(tmp_path, vocabulary=Characters()), tmp_path / "one", workers=1)
    time.sleep(1.1)
    two = prepare_folder(problem(tmp_path, vocabulary=Characters()), tmp_path / "two", workers=3)
    assert one.name == two.name
    assert digests(one) == digests(two)


def test_prepares_once(tmp_path):
    told = []
    first = problem(tmp_path)
    folder = first.prepare(tmp_path / "data", lambda *what: told.append(what))
    assert told[-1] == (3, 3, "validation") and (297, None, "train") in told
    before = digests(folder)
    again = problem(tmp_path)
    assert again.prepare(tmp_path / "data", lambda *what: pytest.fail("nothing is to be done")) == folder
    assert digests(folder) == before
    assert {path.name for path in (tmp_path / "data").iterdir()} - {".sha256.json"} == {folder.name}


def test_without_validation_files_one_percent_is_held_out_and_said(tmp_path, caplog):
    caplog.set_level(logging.INFO, "kt2t")
    held = problem(tmp_path, 500)
    held.prepare(tmp_path / "data")
    assert "5 training examples are held out for validation" in caplog.text
    train, validation = (held.references(split) for split in ("train", "validation"))
    assert len(validation) == 5 and len(train) == 495
    assert sorted(line["inputs"] for line in train + validation) == sorted(f"line {n}" for n in range(500))
    smallest = sorted(train + validation, key=content_hash)[:5]
    assert sorted(map(str, smallest)) == sorted(map(str, validation))


def test_empty_lines_are_left_out_counted_and_said(tmp_path, caplog):
    (tmp_path / "s").write_text("a\n\nc\n \ne\n")
    (tmp_path / "t").write_text("A\nB\n\nD\nE\n")
    files = [str(tmp_path / "s"), str(tmp_path / "t")]
    one = ParallelText(train_files=files, validation_files=files)
    one.prepare(tmp_path / "data")
    assert one.prepared.manifest["splits"]["train"]["dropped"] == {"empty inputs": 2, "empty targets": 1}
    assert "left out 2 with empty inputs, 1 with empty targets" in caplog.text
    assert [line["inputs"] for line in one.references("validation")] == ["a", "e"]


def test_held_out_are_only_examples_that_are_kept(tmp_path):
    lines = [f"line {n}\tZeile {n}" for n in range(300)]
    blank = sorted(({"inputs": " " * n, "targets": "x"} for n in range(1, 2000)), key=content_hash)[:3]
    first = min(content_hash({"inputs": f"line {n}", "targets": f"Zeile {n}"}) for n in range(300))
    assert content_hash(blank[0]) < first
    (tmp_path / "train.tsv").write_text("\n".join([*lines, *(f"{one['inputs']}\tx" for one in blank)]) + "\n")
    made = ParallelText(train_files=str(tmp_path / "train.tsv"))
    made.prepare(tmp_path / "data")
    assert made.prepared.manifest["held_out"]["records"] == len(made.references("validation")) == 3


def test_nothing_left_is_told_with_the_reasons(tmp_path):
    (tmp_path / "s").write_text("\n\n")
    (tmp_path / "t").write_text("A\nB\n")
    files = [str(tmp_path / "s"), str(tmp_path / "t")]
    with pytest.raises(DataError, match="no example of ParallelText train is left: 2 with empty inputs"):
        ParallelText(train_files=files, validation_files=files).prepare(tmp_path / "data")
    assert [path for path in (tmp_path / "data").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("x: No space left on device [28]")]
)
def test_a_full_disk_is_told_and_nothing_left_behind(tmp_path, monkeypatch, error):
    def full(self):
        raise error

    monkeypatch.setattr(RecordWriter, "close", full)
    with pytest.raises(ResourceError, match="cannot be written.*No space left"):
        problem(tmp_path).prepare(tmp_path / "data")
    assert [path for path in (tmp_path / "data").iterdir() if path.is_dir()] == []


def test_an_error_or_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(RecordWriter, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        problem(tmp_path).prepare(tmp_path / "data")
    assert [path for path in (tmp_path / "data").iterdir() if path.is_dir()] == []


def test_a_second_process_is_refused_by_name(tmp_path):
    one = problem(tmp_path)
    folder = folder_for(one, tmp_path / "data")
    (tmp_path / "data").mkdir(exist_ok=True)
    with exclusive(folder), pytest.raises(ResourceError, match=f"process {os.getpid()} on"):
        one.prepare(tmp_path / "data")


SLOW = """
import sys, time
from kt2t.data.translation.parallel_text import ParallelText
import kt2t.data.prepare as prepare
prepare.CHUNK = 5
def slowly(done, total, what):
    if what == "train" and done > 20:
        print("under way", flush=True)
        time.sleep(60)
ParallelText(train_files=sys.argv[1]).prepare(sys.argv[2], slowly)
"""


def test_killed_on_the_way_it_is_not_there_and_the_next_try_makes_it(tmp_path):
    train = tsv(tmp_path / "train.tsv", 300)
    data = tmp_path / "data"
    command = [sys.executable, "-c", textwrap.dedent(SLOW), train, str(data)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "under way\n"
        child.kill()
    left = [path.name for path in data.iterdir() if path.is_dir()]
    assert len(left) == 1 and f".tmp-{child.pid}" in left[0]
    folder = ParallelText(train_files=train).prepare(data)
    assert [path for path in data.iterdir() if path.is_dir()] == [folder]
    assert digests(folder) == digests(ParallelText(train_files=train).prepare(tmp_path / "other"))


def test_the_manifest_tells_what_was_made_of_what(tmp_path):
    made = problem(tmp_path, vocabulary=Words(1000))
    manifest = json.loads((made.prepare(tmp_path / "data") / "manifest.json").read_text())
    assert manifest["problem"]["type"] == "ParallelText"
    assert manifest["sources"][0]["sha256"] == hashlib.sha256((tmp_path / "train.tsv").read_bytes()).hexdigest()
    assert manifest["vocabularies"]["inputs"] == manifest["vocabularies"]["targets"]
    assert manifest["vocabularies"]["inputs"]["fingerprint"] == made.vocabularies()["inputs"].fingerprint
    train = manifest["splits"]["train"]
    assert train["records"] == 297 == sum(shard["records"] for shard in train["shards"])


def test_a_vocabulary_learns_from_the_kept_training_text_alone(tmp_path):
    train = tmp_path / "train.tsv"
    train.write_text("a\tb\nQ\t\nc\td\n")
    validation = tmp_path / "validation.tsv"
    validation.write_text("X\tY\n")
    characters = Characters()
    ParallelText(train_files=str(train), validation_files=str(validation), vocabulary=characters).prepare(
        tmp_path / "data"
    )
    assert characters.size == 258 + len("abcd")


def test_a_folder_that_is_not_ours_is_not_touched(tmp_path):
    one = problem(tmp_path)
    folder = folder_for(one, tmp_path / "data")
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="Move it away"):
        one.prepare(tmp_path / "data")
    assert (folder / "mine.txt").read_text() == "keep"


def test_kept_examples_is_the_order_of_the_records(tmp_path):
    one = problem(tmp_path)
    prepared = Prepared(one.prepare(tmp_path / "data"))
    raw = list(kept_examples(one, "train", prepared.manifest["held_out"]))
    found = prepared.records("train").read(range(len(raw)))
    assert [one.decode("inputs", example["inputs"]) for example in found] == [line["inputs"] for line in raw]


@register
class Halved(ParallelText):
    """Cuts every pair in two records and counts characters."""

    def cut(self, split, examples):
        for example in examples:
            half = len(example["targets"]) // 2
            for part in (slice(0, half), slice(half, None)):
                yield {"inputs": example["inputs"], "targets": example["targets"][part], "prompt_length": np.int32(part.start)}

    def counted(self, examples, encoded):
        assert len(examples) == len(encoded)
        return {"characters": sum(len(example["targets"]) for example in examples)}

    def stored(self):
        return {**self.features(), "prompt_length": PromptLength()}


@pytest.mark.parametrize("workers", [1, 3])
def test_a_problem_may_cut_its_examples_and_count_them(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("kt2t.data.prepare.CHUNK", 7)
    made = Halved(train_files=tsv(tmp_path / "train.tsv", 50), validation_files=tsv(tmp_path / "v.tsv", 3))
    made.use(prepare_folder(made, tmp_path / "data", workers=workers))
    pairs = made.references("train")
    note = made.prepared.manifest["splits"]["train"]
    assert note["records"] == 2 * len(pairs)
    assert note["counts"] == {"characters": sum(len(pair["targets"]) for pair in pairs)}
    first, second = made.prepared.records("train").read([4, 5])
    assert made.decode("targets", np.concatenate([first["targets"], second["targets"]])) == pairs[2]["targets"]
    assert int(first["prompt_length"]) == 0 and int(second["prompt_length"]) == len(first["targets"])


class Clumsy(ParallelText):
    """Pairs, whose code fails in a way of its own at one of them."""

    def __init__(self, train_files, error, inside):
        super().__init__(train_files, validation_files=train_files)
        self.error, self.inside = error, inside

    def examples(self, split):
        for number, example in enumerate(super().examples(split), 1):
            if self.inside == "examples" and number == 3:
                raise self.error
            yield example

    def encode_all(self, examples):
        if self.inside == "encode" and any(example["inputs"] == "line 2" for example in examples):
            raise self.error
        return super().encode_all(examples)


@pytest.mark.parametrize("inside", ["examples", "encode"])
@pytest.mark.parametrize(
    "error", [ValueError("not enough values"), FileNotFoundError(2, "No such file"), KeyError("x")]
)
def test_what_the_code_of_a_problem_raises_is_told_with_the_example(tmp_path, monkeypatch, inside, error):
    monkeypatch.setattr("kt2t.data.prepare.folder_for", lambda *_: tmp_path / "data" / "clumsy")
    clumsy = Clumsy(tsv(tmp_path / "train.tsv", 5), error, inside)
    with pytest.raises(DataError, match=rf"^train example 3.*: Clumsy ends with {type(error).__name__}: ") as raised:
        clumsy.prepare(tmp_path / "data")
    assert raised.value.__cause__ is error and raised.value.status == 3


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "No space left on device")])
def test_what_tells_of_the_machine_is_not_of_the_data(tmp_path, error):
    clumsy = Clumsy(tsv(tmp_path / "train.tsv", 5), error, "examples")
    with pytest.raises(type(error)) as raised:
        list(kept_examples(clumsy, "train", None))
    assert raised.value is error


@register
class Recordings(Problem):
    """Names of recordings, each far larger once it is read."""

    def __init__(self, samples: int = 10_000, count: int = 400) -> None:
        super().__init__()
        self.samples, self.count, self.asked = samples, count, []

    def examples(self, split):
        return ({"inputs": f"{number:05d}.wav", "targets": number % 2} for number in range(self.count))

    def encode_all(self, examples):
        self.asked.append(len(examples))
        return super().encode_all(examples)

    def encode(self, example):
        number = int(example["inputs"][:5])
        return {"inputs": np.full(self.samples, number / 500, np.float32), "targets": np.array(example["targets"])}

    def features(self):
        return {"inputs": Audio(rate=8000), "targets": Label(2)}


@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_are_bounded_by_the_bytes_of_what_is_encoded(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("kt2t.data.prepare.CHUNK_BYTES", 200_000)
    made = Recordings()
    folder = prepare_folder(made, tmp_path / "data", workers=workers)
    assert max(made.asked) == FIRST_CHUNK
    assert made.asked.count(4) > 2 * made.count // 4 - 20, "4 recordings of 40,004 bytes, in both splits"
    monkeypatch.setattr("kt2t.data.prepare.CHUNK_BYTES", 2**22)
    other = Recordings()
    assert digests(prepare_folder(other, tmp_path / "other", workers=workers)) == digests(folder)
    assert max(other.asked) > 50


def test_short_texts_are_encoded_many_at_a_time():
    chunks = _Chunks(({"inputs": "a b c", "targets": str(number)} for number in range(10_000)), learns=True)
    found = []
    for first, chunk in chunks:
        assert first == sum(found)
        found.append(len(chunk))
        chunks.learn([{"inputs": np.zeros(5, np.int32)}] * len(chunk))
    assert found[0] == FIRST_CHUNK and found[1:5] == [2048] * 4 and sum(found) == 10_000


@register
class Tagged(Problem):
    """Words with tags and a topic."""

    def examples(self, split):
        for number in range(50):
            yield {"inputs": [2 + (number + place) % 6 for place in range(1 + number % 4)], "topic": number % 3}

    def encode(self, example):
        words = np.array(example["inputs"])
        return {"inputs": words, "targets": {"tags": 1 + words % 2, "topic": np.array(example["topic"])}}

    def features(self):
        return {"inputs": Text(8), "targets": {"tags": Tags(2), "topic": Label(3)}}


def test_a_dict_of_targets_is_stored_field_by_field(tmp_path):
    made = Tagged()
    made.prepare(tmp_path / "data")
    assert sorted(made.prepared.manifest["fields"]) == ["inputs", "targets.tags", "targets.topic"]
    records = made.prepared.records("train")
    assert sorted(records.lengths) == ["inputs", "targets.tags"]
    raw = list(kept_examples(made, "train", None))
    for record, example in zip(records.read(range(len(raw))), raw, strict=True):
        assert record["targets.tags"].tolist() == [1 + word % 2 for word in example["inputs"]]
        assert int(record["targets.topic"]) == example["topic"]


def test_a_dict_of_targets_through_batches_packed_or_not(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    made = Tagged()
    for features, targets, weights in made.batches("validation", tokens=32):
        real = features["inputs_segments"] > 0
        assert (targets["tags"] == np.where(real, 1 + features["inputs"] % 2, 0)).all()
        assert (weights["tags"] == real).all() and (weights["topic"] == real.any(1)).all()
    with pytest.raises(ValueError, match=r"targets\.topic is Label.*Leave pack out"):
        made.batches("train", tokens=32, pack=8)
    only_tags = type("OnlyTags", (Tagged,), {})
    monkeypatch.setattr(only_tags, "features", lambda self: {"inputs": Text(8), "targets": {"tags": Tags(2)}})
    plain = Tagged.encode
    monkeypatch.setattr(
        only_tags, "encode", lambda self, one: {**plain(self, one), "targets": {"tags": plain(self, one)["targets"]["tags"]}}
    )
    batches = only_tags().batches("train", tokens=32, pack=8)
    assert batches.plan.fields == ("inputs",)
    total = 0
    for step in range(len(batches)):
        features, targets, weights = batches.batch(step)
        real = features["inputs_segments"] > 0
        assert (targets["tags"] == np.where(real, 1 + features["inputs"] % 2, 0)).all()
        assert (weights["tags"] == real).all()
        total += int(real.sum())
    assert total == sum(1 + number % 4 for number in range(50)) and features["inputs_segments"].max() > 1


def test_bytes_of_raw_examples_are_held_out_by_their_content(tmp_path):
    class Encoded(Recordings):
        def splits(self):
            return ("train",)

        def examples(self, split):
            return ({**example, "inputs": example["inputs"].encode()} for example in super().examples(split))

    monkey = Encoded(samples=4)
    monkey.use(prepare_folder(monkey, tmp_path / "data"))
    held_out = monkey.prepared.manifest["held_out"]
    assert held_out["buffers"] is True and held_out["records"] == 4
    hashes = sorted(content_hash(example)[0] for example in monkey.examples("train"))
    assert held_out["limit"] == hashes[3]
    kept = [content_hash(example)[0] for example in kept_examples(monkey, "validation", held_out)]
    assert sorted(kept) == hashes[:4]
