"""Text in windows: what is trained on, what counts, and the figures of the whole."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kt2t.data.draw import Draw
from kt2t.data.language.running_text import RunningText
from kt2t.data.vocabularies import Bytes, ClosedWords, Subwords
from kt2t.decoding import Greedy
from kt2t.errors import DataError
from kt2t.models import TransformerLM
from kt2t.registry import register
from kt2t.run.evaluate import evaluate_model

SIZES = {"num_layers": 1, "hidden_dim": 8, "intermediate_dim": 8, "num_heads": 2}
LINES = [f"line {n} is\n" if n % 5 else "\n" for n in range(60)]
TEXT = "".join(LINES)


@register
class Lines(RunningText):
    """The text files of a folder; one named `test.txt` is a split of its own."""

    def files(self):
        files = sorted(Path(self.path).glob("part*.txt"))
        test = Path(self.path) / "test.txt"
        return {"train": files, **({"test": [test]} if test.exists() else {})}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    (tmp_path / "part1.txt").write_text("".join(LINES[:40]))
    (tmp_path / "part2.txt").write_text("".join(LINES[40:]))
    return tmp_path


def problem(folder, **options):
    return Lines(**{"path": str(folder), "length": 16, **options})


def texts_of(made, split, weigh=False):
    """What stands in the rows of one pass over a split in the order of the records, counted positions alone if `weigh`."""
    batches = made.batches(split, rows=4, shuffle=False)
    found = {}
    for number in range(len(batches)):
        _, targets, weight = batches.batch(number)
        for index, row, weights in zip(batches.plan.batch(number).indices, targets, weight, strict=True):
            if index >= 0:
                found[int(index)] = Bytes().decode(row[weights > 0] if weigh else row)
    return [found[index] for index in sorted(found)]


def test_the_last_part_is_held_out_in_one_piece_to_the_character(folder):
    made = problem(folder, held_out=0.25)
    assert made.splits() == ("train", "validation")
    cut = int(len(TEXT) * 0.75)
    for split, text in (("train", TEXT[:cut]), ("validation", TEXT[cut:])):
        assert "".join(example["targets"] for example in made.examples(split)) == text
        assert "".join(texts_of(made, split, weigh=True)) == text
    counts = made.prepared.manifest["splits"]["validation"]["counts"]
    rest = TEXT[cut:]
    assert counts == {"tokens": len(rest), "bytes": len(rest), "words": len(rest.split()) + rest.count("\n")}


def test_evaluation_reads_context_that_does_not_count(folder):
    made = problem(folder, stride=4)
    windows, counted = texts_of(made, "validation"), texts_of(made, "validation", weigh=True)
    assert windows[0] == counted[0] and len(windows[0]) == 16
    for before, window, part in zip(windows[:-1], windows[1:], counted[1:], strict=True):
        assert window.startswith(before[4:]) and window == before[4:] + part and len(part) <= 4


def test_an_epoch_of_training_has_every_place_and_the_next_one_begins_elsewhere(folder):
    made = problem(folder)
    batches = made.batches("train", rows=1, seed=3)
    text = "".join(example["targets"] for example in made.examples("train"))
    phases = []
    for epoch in range(4):
        rows = [batches.batch(epoch * len(batches) + number)[1][0] for number in range(len(batches))]
        shown = [Bytes().decode(row) for row in rows]
        whole = [row for row in shown if len(row) == 16]
        assert all(row in text for row in shown)
        covered = sum(len(row) for row in shown)
        assert covered == len(text)
        phases.append(min(text.find(row) % 16 for row in whole))
    assert len({tuple(batches.batch(epoch * len(batches))[1][0]) for epoch in range(4)}) > 1
    again = made.batches("train", rows=1, seed=3, start=5)
    for one, other in zip(again.batch(7)[0].values(), batches.batch(7)[0].values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_phases_differ_by_epoch_and_seed_alone(folder):
    made = problem(folder)
    record = {"targets": np.arange(32), "prompt_length": np.int32(0)}
    starts = {
        (seed, epoch): int(made.transform("train", record, Draw(seed, epoch, 7))["targets"][0])
        for seed in (1, 2)
        for epoch in range(8)
    }
    assert len({starts[1, epoch] for epoch in range(8)}) > 3
    assert [starts[1, epoch] for epoch in range(8)] != [starts[2, epoch] for epoch in range(8)]
    assert made.transform("train", record, None)["targets"].tolist() == list(range(16))
    assert made.transform("validation", record, Draw(1, 4, 7)) == record


def test_the_training_text_can_be_measured_too(folder):
    made = problem(folder)
    assert "".join(texts_of(made, "train", weigh=True)) == "".join(e["targets"] for e in made.examples("train"))


@pytest.mark.parametrize("documents", ["files", "lines"])
def test_documents_keep_to_themselves_and_end(folder, documents):
    (folder / "test.txt").write_text("abc\n\nlonger than a window is\n")
    made = problem(folder, documents=documents, stride=8, held_out=0.4)
    counted = texts_of(made, "test", weigh=True)
    records = made.prepared.records("test").read(range(len(counted)))
    ends = [int(record["targets"][-1]) for record in records]
    if documents == "files":
        assert "".join(counted) == "abc\n\nlonger than a window is\n" and ends.count(1) == 1
    else:
        assert counted[0] == "abc" and "".join(counted[1:]) == "longer than a window is"
        assert ends.count(1) == 2 and [int(record["prompt_length"]) for record in records] == [0, 0, 8]
        assert made.prepared.manifest["splits"]["test"]["dropped"] == {"empty targets": 1}
        counts = made.prepared.manifest["splits"]["test"]["counts"]
        assert counts == {"tokens": 4 + 24, "words": 2 + 6, "bytes": 4 + 24}


def test_whole_documents_are_held_out(folder):
    made = problem(folder, documents="lines", held_out=0.5)
    train, validation = ([e["targets"] for e in made.examples(split)] for split in ("train", "validation"))
    assert [line + "\n" for line in train + validation] == LINES
    assert abs(len("".join(train)) - len("".join(validation))) <= 12
    with pytest.raises(DataError, match="no text for validation in .*part1.txt.*raise held_out"):
        list(problem(folder, documents="files", held_out=0.01).examples("validation"))


def test_figures_of_a_model_that_knows_nothing(folder):
    # every byte costs ln 258 nats, whatever its context
    made = problem(folder)
    counts = made.prepared.manifest["splits"]["validation"]["counts"]
    found = made.derived_metrics("validation", {"perplexity": 258.0})
    assert found["bits_per_byte"][0] == pytest.approx(math.log2(258))
    assert found["word_perplexity"][0] == pytest.approx(258 ** (counts["bytes"] / counts["words"]))
    assert found["bits_per_byte"][1] == f"bytes:{counts['bytes']}|context:8 to 15 tokens|documents:one"


def test_evaluation_of_a_run_tells_them_with_their_signatures(folder):
    made = problem(folder)
    made.prepare()
    model = TransformerLM(made.features(), **SIZES)
    model.compile(keras.optimizers.SGD(0.01), loss=made.loss(), metrics=made.metrics())
    recipe = SimpleNamespace(train=SimpleNamespace(batch={"rows": 8}, unpacked={"rows": 8}))
    assembly = SimpleNamespace(problem=made, model=model, search=Greedy(extra_length=2), recipe=recipe)
    found = evaluate_model(assembly, "validation", 1, samples=1)
    counts = made.prepared.manifest["splits"]["validation"]["counts"]
    assert found.scores["bits_per_byte"] == pytest.approx(found.metrics["loss"] / math.log(2), rel=1e-5)
    nats = found.metrics["loss"] * counts["tokens"]
    assert found.scores["word_perplexity"] == pytest.approx(math.exp(nats / counts["words"]), rel=1e-4)
    assert found.signatures.keys() == {"bits_per_byte", "word_perplexity"}
    assert len(found.samples) == 1 and set(found.metrics) == {"loss", "token_accuracy", "perplexity"}


def test_what_a_vocabulary_loses_has_no_bits(folder):
    made = problem(folder, vocabulary=ClosedWords(size=6))
    made.prepare()
    found = made.derived_metrics("validation", {"perplexity": 4.0})
    assert set(found) == {"word_perplexity"}
    assert found["word_perplexity"][0] == pytest.approx(4.0), "a word is a token"


def test_subwords_of_lines_come_back_as_the_text(folder):
    (folder / "test.txt").write_text("\n".join(["line one", "", "  two spaces first", "line 3 is"]))
    made = problem(folder, vocabulary=Subwords(290))
    made.prepare()
    records = made.prepared.records("test")
    counted = [record["targets"][int(record["prompt_length"]) :] for record in records.read(range(len(records)))]
    assert made.decode("targets", np.concatenate(counted)) == (folder / "test.txt").read_text() + "\n"


def test_options_out_of_range_are_refused():
    for options, message in (
        ({"length": 1}, "length: 1 leaves nothing"),
        ({"length": 8, "stride": 9}, "stride: 9 is not between 1 and the length 8"),
        ({"documents": "pages"}, "documents: 'pages' is not known"),
        ({"held_out": 1.0}, "held_out: 1.0 is no share"),
    ):
        with pytest.raises(ValueError, match=message):
            RunningText(**options)
    with pytest.raises(NotImplementedError, match="RunningText must define files"):
        RunningText().files()


def test_a_split_that_is_not_there_and_text_that_is_blank(folder):
    with pytest.raises(DataError, match="'test' is not a split of Lines. There are: train, validation"):
        list(problem(folder).examples("test"))
    for file in folder.glob("part*.txt"):
        file.write_text(" \n\n")
    with pytest.raises(DataError, match="there is no text for train in .*part1.txt', .*white space alone"):
        problem(folder).prepare()


@pytest.mark.parametrize("documents", ["one", "files"])
def test_the_indentation_of_lines_is_kept(folder, documents):
    (folder / "part1.txt").write_text("def f(x):\n return x\n" * 20)
    made = problem(folder, documents=documents, vocabulary=Subwords(290), held_out=0.4)
    made.prepare()
    encoded = made.encode_all(list(made.examples("train")))
    text = made.decode("targets", np.concatenate([one["targets"] for one in encoded]))
    assert "def f(x):\n return x\ndef" in text


@pytest.mark.parametrize("vocabulary", [Bytes(), Subwords(290)])
def test_several_lines_at_once_have_the_ids_of_the_training_text(folder, vocabulary):
    made = problem(folder, documents="one", vocabulary=vocabulary)
    made.prepare()
    text = "line 3 is\n\nline\u2028 4\n li"
    each = made.encode_all([{"targets": line} for line in ("line 3 is\n", "\n", "line\u2028 4\n", " li")])
    [together, nothing, end] = made.encode_all([{"targets": one} for one in (text, "", "is\n")])
    assert together["targets"].tolist() == np.concatenate([one["targets"] for one in each]).tolist()
    assert made.decode("targets", together["targets"]) == text
    assert not len(nothing["targets"]) and made.decode("targets", end["targets"]) == "is\n"
