"""D01 to D18 of the catalogue of faults: raw data and prepared records. README.md here says what stands where."""

from __future__ import annotations

import ast
import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordReader
from campaigns import fuzz_records, fuzz_texts

from kt2t.cli.main import run
from kt2t.data.checks import checked_columns
from kt2t.data.location import exclusive, folder_for
from kt2t.data.prepared import seal
from kt2t.data.records import RecordWriter
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.data.vocabularies.characters import Characters
from kt2t.errors import DataError
from kt2t.features import Numbers, Tags, Text

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """\
problem:
  type: ParallelText
  train_files: train.tsv
  vocabulary: {type: Characters}
model: {type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2}
optimizer: {type: Adam, learning_rate: 0.001}
train: {steps: 2, batch: {rows: 4}}
"""
LINES = 300


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A prepared folder of several shards; the working folder holds its recipe `mine.yaml` and its text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kt2t.data.records.SHARD_BYTES", 4000)
    Path("mine.yaml").write_text(RECIPE)
    Path("train.tsv").write_text("".join(f"line {n}\tZeile {n}\n" for n in range(LINES)))
    assert run(["prepare", "mine.yaml", "--data-dir", "data"]) == 0
    return next(path for path in Path("data").iterdir() if path.is_dir()).resolve()


def refused(capsys: pytest.CaptureFixture[str], status: int = 3, *words: str) -> str:
    """The one line of a preparation that must be refused; what was prepared before stays as it is."""
    before = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert run(["prepare", "mine.yaml", "--data-dir", "data", *words]) == status
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t: ")]
    assert len(errors) == 1, errors
    after = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if ".sha256.json" not in path.name} == {
        path: data for path, data in before.items() if ".sha256.json" not in path.name
    }
    return errors[0]


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("train-*.arrayrecord"))


@pytest.mark.parametrize("end", [1, 2, 3])
def test_d01_a_shard_that_lost_whole_blocks_is_told_with_both_counts(folder, capsys, end):
    path = shards(folder)[1]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 65536 * end] if len(data) > 65536 * end else data[: len(data) // 2])
    line = refused(capsys)
    assert path.name in line and "expected" in line and f"in {len(data)} bytes" in line


def test_d01_fewer_records_in_a_shard_of_the_right_size_are_seen(folder, capsys):
    path = shards(folder)[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["seal"]
    manifest["splits"]["train"]["shards"][0]["records"] += 1
    (folder / "manifest.json").write_text(json.dumps({**manifest, "seal": seal(manifest)}))
    records = manifest["splits"]["train"]["shards"][0]["records"]
    assert f"{path.name}' has {records - 1} records; expected {records} records" in refused(capsys)


@pytest.mark.parametrize("part", np.linspace(0, 0.999, 25))
def test_d02_a_shard_cut_anywhere_is_named(folder, capsys, part):
    path = shards(folder)[0]
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert f"{path.name}' has {int(len(data) * part)} bytes; expected " in refused(capsys)


def first_unreadable(shard: Path) -> int:
    """The first record that the library of record files cannot read by itself."""
    reader = ArrayRecordReader(str(shard))
    for number in range(reader.num_records()):
        try:
            reader.read([number])
        except Exception:
            return number
    raise AssertionError("every record can be read")


def test_d03_flipped_bits_are_named_by_shard_and_record_or_change_nothing(folder):
    problem = ParallelText(train_files="train.tsv", vocabulary=Characters())
    problem.use(folder)
    records = problem.prepared.records("train")
    expected = records.read(range(len(records)))
    path = shards(folder)[0]
    data, chance, seen, numbered = path.read_bytes(), np.random.default_rng(3), 0, 0
    for place in chance.integers(0, 6000, 200):  # where the records are; the rest is padding
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(chance.integers(8))
        path.write_bytes(flipped)
        try:
            problem.use(folder)
            found = problem.prepared.records("train").read(range(len(records)))
        except DataError as error:
            assert path.name in str(error) and error.status == 3
            seen += 1
            if number := re.search(r"is damaged at record (\d+): ", str(error)):
                assert int(number[1]) == first_unreadable(path)
                numbered += 1
        else:
            for one, other in zip(found, expected, strict=True):
                assert all(np.array_equal(one[field], other[field]) for field in other)
    assert seen > 10 and numbered > 5


def test_d04_an_empty_shard_is_named(folder, capsys):
    shards(folder)[2].write_bytes(b"")
    assert f"{shards(folder)[2].name}' has 0 bytes" in refused(capsys)


def test_d05_a_missing_and_an_extra_shard_are_named(folder, capsys):
    path = shards(folder)[1]
    data = path.read_bytes()
    path.unlink()
    assert f"lacks {path.name}" in refused(capsys)
    path.write_bytes(data)
    (folder / "train-00077-of-00078.arrayrecord").write_bytes(data)
    assert "beyond its manifest, train-00077-of-00078.arrayrecord" in refused(capsys)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("train.tsv.gz", gzip.compress(b"one\teins\n" * 999, mtime=0)[:-9]),
        ("train.tsv.gz", gzip.compress(b"one\teins\n" * 999, mtime=0)[:20]),
        ("train.tsv.gz", b"one\teins\n" * 9),
        ("train.tsv", gzip.compress(b"one\teins\n" * 999, mtime=0)[:-4]),
        ("train.tsv.gz", gzip.compress(b"one\teins\n" * 999, mtime=0)[:-8] + b"\0" * 8),
    ],
)
def test_d06_a_gzip_that_is_cut_or_none_is_named(folder, capsys, name, data):
    Path(name).write_bytes(data)
    Path("mine.yaml").write_text(RECIPE.replace("train.tsv", name))
    line = refused(capsys)
    assert name in line and "gzip" in line


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ({"inputs": [3, 4]}, r"example 7 has the fields \['inputs'\]"),
        ({"inputs": [3], "targets": [0.5]}, "example 7, targets: float64"),
        ({"inputs": [[3]], "targets": [3]}, r"example 7, inputs: shape \(1, 1\)"),
        ({"inputs": ["a"], "targets": [3]}, "example 7, inputs: <U1"),
        ({"inputs": [2**40], "targets": [3]}, "example 7, inputs: .* does not fit into int32"),
    ],
)
def test_d07_a_feature_that_is_missing_or_of_the_wrong_type_is_named(example, message):
    with pytest.raises(DataError, match=message):
        checked_columns([example], {"inputs": Text(9), "targets": Text(9)}, "example", 7)


FAULTY = """\
import numpy as np

import kt2t
from kt2t.data.problem import Problem
from kt2t.features import Numbers, Text

FAULTS = {
    "a field is missing": {"inputs": None},
    "another type": {"targets": [0.5]},
    "words": {"inputs": ["a"]},
    "another shape": {"inputs": [[3]]},
    "past the vocabulary": {"targets": [3, 9]},
    "padding": {"targets": [0, 3]},
    "below zero": {"inputs": [-1]},
    "not a number": {"numbers": [0, np.nan, 0]},
    "infinite": {"numbers": [0, np.inf, 0]},
    "less than infinite": {"numbers": [0, 0, -np.inf]},
    "nothing": {},
}


@kt2t.register
class FaultyForFaults(Problem):
    '''Ids and numbers; the eighth example has a fault.'''

    def __init__(self, fault: str, loss=None, max_length: int | None = None) -> None:
        super().__init__(loss=loss, max_length=max_length)
        self.fault = fault

    def examples(self, split):
        return ({"number": number} for number in range(20))

    def encode(self, example):
        fine = {"inputs": [3, 4, 1], "targets": [5, 1], "numbers": np.zeros(3, np.float32)}
        changed = {**fine, **(FAULTS[self.fault] if example["number"] == 7 else {})}
        return {field: np.asarray(value) for field, value in changed.items() if value is not None}

    def features(self):
        return {"inputs": Text(9), "targets": Text(9), "numbers": Numbers(3)}
"""


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("a field is missing", "train example 7 has the fields ['numbers', 'targets']"),
        ("another type", "train example 7, targets: float64 where"),
        ("words", "train example 7, inputs: <U1 where"),
        ("another shape", "train example 7, inputs: shape (1, 1) where"),
        ("past the vocabulary", "train example 7, targets: 9 is outside 1 to 8"),
        ("padding", "train example 7, targets: 0 is outside 1 to 8"),
        ("below zero", "train example 7, inputs: -1 is outside 1 to 8"),
        ("not a number", "train example 7, numbers: a value is not finite"),
        ("infinite", "train example 7, numbers: a value is not finite"),
        ("less than infinite", "train example 7, numbers: a value is not finite"),
        ("nothing", ""),
    ],
)
def test_d07_d08_d18_preparing_what_is_no_example_ends_with_3_and_names_it(folder, capsys, monkeypatch, fault, told):
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("faulty_for_faults.py").write_text(FAULTY)
    sections = RECIPE[RECIPE.index("model:") :]
    Path("mine.yaml").write_text(f"problem: {{type: faulty_for_faults.FaultyForFaults, fault: {fault}}}\n{sections}")
    if told:
        assert told in refused(capsys)
        assert [path.name for path in Path("data").iterdir() if path.is_dir()] == [folder.name]
    else:
        assert run(["prepare", "mine.yaml", "--data-dir", "data"]) == 0


@pytest.mark.parametrize("number", [-1, 0, 9, 10**6])
def test_d08_an_id_outside_the_vocabulary_is_refused_never_zeros(number):
    with pytest.raises(DataError, match=rf"example 5, targets: {number} is outside 1 to 8"):
        checked_columns([{"targets": [3]}, {"targets": [3, number]}], {"targets": Text(9)}, "example", 4)
    with pytest.raises(DataError, match="example 0, targets"):
        checked_columns([{"inputs": [3], "targets": [number]}], {"inputs": Text(9), "targets": Tags(8)}, "example")


def test_d09_another_vocabulary_than_the_records_were_made_with_is_refused(folder, capsys):
    (path,) = (folder / "vocabulary").glob("*.txt")
    path.write_text("abc")
    line = refused(capsys)
    assert path.name in line and "is damaged: its sha256 is" in line


@pytest.mark.parametrize(("text", "told"), [("", "is empty"), ("\t\n \tx\n" * 9, "18 with empty inputs")])
def test_d10_an_empty_data_set_is_told_with_the_reasons(folder, capsys, text, told):
    Path("train.tsv").write_text(text)
    assert told in refused(capsys)


def test_d11_examples_that_are_all_too_long_are_told_with_their_number(folder, capsys):
    words = ["train", "mine.yaml", "problem.max_length=2", "--data-dir", "data"]
    capsys.readouterr()
    assert run(words) == 3
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t: "))
    assert "max_length" in line and "297" in line
    assert not Path("runs/mine/run.json").exists()


KILLED = """\
import hashlib, os, signal, sys, threading
from pathlib import Path
from kt2t.data import records
from kt2t.data.translation.parallel_text import ParallelText
from kt2t.data.vocabularies.characters import Characters
records.SHARD_BYTES = 4000
last, count = 10**9, 0
def traced(frame, event, argument):
    global count
    if event == "call" and "kt2t" in frame.f_code.co_filename:
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
def made(place):
    sys.setprofile(traced)
    threading.setprofile(traced)
    ParallelText(train_files="train.tsv", vocabulary=Characters()).prepare(place)
    sys.setprofile(None)
    Path("calls").write_text(str(count))
def child(place, calls):
    global last
    last = calls
    number = os.fork()
    if not number:
        made(place)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
def told(status):
    folders = [path for path in Path("killed").glob("[!.]*") if path.is_dir()]
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    print(repr((status, [folder.name for folder in folders], digests)), flush=True)
if child("whole", 10**9):
    sys.exit("it cannot be prepared")
calls, times = int(Path("calls").read_text()), int(sys.argv[1])
for part in range(1, times + 1):
    told(child("killed", calls * part // (times + 1)))
told(child("killed", 10**9))
"""


def test_d12_a_preparation_killed_anywhere_leaves_nothing_or_all_and_comes_to_the_same_bytes(folder):
    """Killed at 30 calls from the first to the last, each time beside what the kill before it left."""
    whole = [path for path in folder.iterdir() if path.is_file()]
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in whole}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, "30"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    assert len(found) == 31 and sum(status == -signal.SIGKILL for status, *_ in found) >= 25
    for status, names, digests in found:
        assert status in (0, -signal.SIGKILL)
        assert (names, digests) in (([], {}), ([folder.name], expected))
    assert found[-1] == (0, [folder.name], expected)
    assert [path.name for path in Path("killed").iterdir() if path.is_dir()] == [folder.name]


def test_d13_a_full_disk_is_told_and_nothing_left(folder, capsys, monkeypatch):
    shutil.rmtree("data")
    Path("data").mkdir()

    def full(self):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "close", full)
    assert "cannot be written: No space left on device. Make room" in refused(capsys, 5)
    assert [path for path in Path("data").iterdir() if path.is_dir()] == []


def test_d14_a_second_preparation_is_refused_with_who_is_at_it(folder, capsys):
    there = folder_for(ParallelText(train_files="train.tsv", vocabulary=Characters()), "data")
    assert there.resolve() == folder
    shutil.rmtree(folder)
    with exclusive(there):
        assert f"is being prepared by process {os.getpid()} on {socket.gethostname()}" in refused(capsys, 5)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b"line 41\t", b"line \xff\t", "train.tsv:42: byte 6 (0xff) is not UTF-8"),
        (b"line 41\t", b"line \0\t", "train.tsv:42: byte 6 is NUL"),
        (b"line 41\t", b"x" * 10_000_000 + b"\t", "train.tsv:42: a line is longer than 1,000,000 bytes"),
        (b"line 41\t", b"line 41 ", "train.tsv:42: 1 columns where there should be 2"),
    ],
)
def test_d15_a_line_that_is_no_text_is_told_with_its_number(folder, capsys, before, after, told):
    Path("train.tsv").write_bytes(Path("train.tsv").read_bytes().replace(before, after))
    assert told in refused(capsys)


def test_d15_carriage_returns_mean_nothing(folder):
    Path("other.tsv").write_bytes(Path("train.tsv").read_bytes().replace(b"\n", b"\r\n"))
    one, other = (ParallelText(train_files=name, validation_files=name) for name in ("train.tsv", "other.tsv"))
    assert list(one.examples("train")) == list(other.examples("train"))


@pytest.mark.parametrize(("source", "target"), [(300, 299), (1, 300)])
def test_d17_parallel_files_of_different_lengths_are_told_with_both(folder, capsys, source, target):
    Path("a.en").write_text("word\n" * source)
    Path("a.de").write_text("Wort\n" * target)
    Path("mine.yaml").write_text(RECIPE.replace("train.tsv", "[a.en, a.de]"))
    assert f"'a.en' has {source} lines, 'a.de' {target}" in refused(capsys)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_d18_numbers_that_are_not_finite_are_refused_by_example(number):
    good, bad = np.zeros(3, np.float32), np.array([0, number, 0], np.float32)
    with pytest.raises(DataError, match="example 11, targets: a value is not finite"):
        checked_columns([{"targets": good}, {"targets": bad}], {"targets": Numbers(3)}, "example", 10)


@pytest.mark.parametrize(("campaign", "count"), [(fuzz_records, 40), (fuzz_texts, 300)], ids=["records", "texts"])
def test_damages_at_random_are_seen_or_harmless(tmp_path, campaign, count):
    """A few of the cases of `tests/campaigns/fuzz_records.py` and `fuzz_texts.py`, which have the large counts."""
    found = campaign.fuzz(7, count, tmp_path)
    assert found["bad"] == [] and sum(found["counts"].values()) == count
