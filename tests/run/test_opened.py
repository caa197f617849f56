"""A run opened in Python answers as `kt2t predict` does."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import kt2t
from kt2t.data import Problem
from kt2t.data.pictures import png
from kt2t.data.vocabularies import Bytes
from kt2t.decoding import Beam
from kt2t.errors import DataError, RunError
from kt2t.features import Image, Label, Tags, Text
from kt2t.run import predict
from kt2t.run.evaluate import evaluate
from kt2t.run.opened import Run
from kt2t.run.predict import Predictor


@pytest.fixture(scope="module")
def run(tiny_run):
    return kt2t.load(tiny_run)


@pytest.fixture(scope="module")
def lines(tiny_run):
    """The answers of `kt2t predict`."""
    return Predictor(tiny_run)


def test_one_text_gives_one_answer_and_a_list_a_list(run, lines):
    texts = ["1 2 3", "4", "0 2"]
    assert run(texts) == lines(texts) and run(tuple(texts)) == run(iter(texts)) == lines(texts)
    assert run("1 2 3") == lines(["1 2 3"])[0] and run([]) == []
    assert run(["1", "", "2"]) == [run("1"), "", run("2")]


def test_a_row_may_be_a_dict_of_fields(run):
    assert run({"inputs": "1 2 3"}) == run("1 2 3")
    assert run([{"inputs": "1 2"}, "3", {"inputs": "3", "targets": "0"}]) == run(["1 2", "3", "3"])


def test_every_hypothesis_comes_with_its_score(run):
    (first, *others) = run.hypotheses("1 2 3", search=Beam(beams=3, n_best=2))
    assert len(others) == 1 and first["score"] >= others[0]["score"] and set(first) >= {"value", "text", "score", "cut"}
    assert [len(one) for one in run.hypotheses(["1", "2"])] == [1, 1]
    assert run(["1 2 3"], search="beam") == run(["1 2 3"], search=Beam())


def test_model_problem_and_step_are_those_of_the_run(run, tiny_run, tiny_data, monkeypatch):
    assert run.step in {4, 8, 12} and run.path == tiny_run and run.recipe.train.steps == 12
    assert type(run.problem).__name__ == "Reverse" and run.model.built and run.model.compiled
    monkeypatch.setenv("KT2T_DATA", str(tiny_data))
    before = set(tiny_data.iterdir())
    found = run.model.evaluate(run.problem.batches("validation", rows=16), return_dict=True, verbose=0)
    assert set(tiny_data.iterdir()) == before, "the prepared data of the run is used"
    own = evaluate(tiny_run, data_dir=tiny_data, samples=0).metrics
    np.testing.assert_allclose(found["loss"], own["loss"], rtol=1e-5)


def test_checkpoint_search_and_overrides(tiny_run):
    for checkpoint, step in {"last": 12, 12: 12, "12": 12}.items():
        assert kt2t.load(str(tiny_run), checkpoint=checkpoint).step == step
    wide = kt2t.load(tiny_run, overrides=["report.decode={type: Beam, beams: 3, n_best: 2}"])
    assert len(wide.hypotheses("1 2")) == 2
    assert len(kt2t.load(tiny_run, search={"type": "Beam", "n_best": 2}).hypotheses("1 2")) == 2
    with pytest.raises(RunError, match=r"has no checkpoint '7'. There are: last, average, best"):
        kt2t.load(tiny_run, checkpoint=7)
    with pytest.raises(ValueError, match="only report.decode"):
        kt2t.load(tiny_run, overrides="train.steps=3")


def test_a_wrong_folder_names_what_is_there(tiny_run, tmp_path):
    with pytest.raises(RunError, match="holds no run .*There is no such folder"):
        kt2t.load(tmp_path / "nowhere")
    for name in ("one", "more/two"):
        shutil.copytree(tiny_run, tmp_path / name)
    with pytest.raises(RunError, match=r"holds no run .*Below it are the runs '.*more/two', '.*one'"):
        kt2t.load(tmp_path)
    with pytest.raises(RunError, match=r"holds no run .*Did you mean '.*one'\?"):
        kt2t.load(tmp_path / "one" / "checkpoints" / "step-12")
    with pytest.raises(RunError, match=r"holds no run .*Beside it are the runs '.*more/two', '.*one'"):
        kt2t.load(tmp_path / "onee")
    with pytest.raises(RunError, match="cannot be read|holds no run"):
        kt2t.load(tiny_run / "recipe.yaml")


def test_what_does_not_fit_is_named(run):
    with pytest.raises(DataError, match=r"^examples:2: 'abc' is not a list of whole numbers"):
        run(["1", "abc"])
    with pytest.raises(DataError, match=r"^'abc' is not a list"):
        run("abc")
    with pytest.raises(
        DataError, match="the model reads 'inputs', which this example does not have. It has: 'question'"
    ):
        run([{"question": "1 2"}])
    with pytest.raises(DataError, match="3 is no example: give a text, or a dict of fields such as"):
        run(3)


def opened(monkeypatch, problem, answer):
    """A run of a problem whose model answers by a formula."""
    model = SimpleNamespace(answer=answer)
    assembly = SimpleNamespace(problem=problem, model=model, search=None, recipe=None)
    monkeypatch.setattr(predict, "restored", lambda *_, **__: SimpleNamespace(assembly=assembly, step=1))
    return Run(Path("run"))


class Sentences(Problem):
    """Texts in one of two languages, with a tag for each byte and the kind of sentence."""

    def encode(self, example):
        return {"inputs": np.array([*Bytes().encode(example["inputs"]), 1]), "language": example["language"]}

    def features(self):
        return {"inputs": Text(258), "language": Label(2), "targets": {"tags": Tags(2), "kind": Label(2)}}

    def vocabularies(self):
        named = {"targets.tags": ["N", "V"], "targets.kind": ["order", "question"], "language": ["de", "en"]}
        return {"inputs": Bytes(), **{name: SimpleNamespace(names=one) for name, one in named.items()}}


def test_rows_of_several_fields_and_several_targets(monkeypatch):
    def answer(features, search=None, draw=0):
        tags = np.where(features["inputs"] > 0, 1 + features["inputs"] % 2, 0)
        return {"values": {"tags": tags[:, None], "kind": features["language"][:, None]}}

    run = opened(monkeypatch, Sentences(), answer)
    ids = [*Bytes().encode("ab"), 1]
    tags = ["NV"[one % 2] for one in ids]
    assert run({"inputs": "ab", "language": "en"}) == {"tags": tags, "kind": "question"}
    found = run([{"inputs": "abcd", "language": "de"}, {"inputs": "ab", "language": 1}])
    assert [one["kind"] for one in found] == ["order", "question"] and found[1]["tags"] == tags
    with pytest.raises(RunError, match="Sentences.encode needs the field 'language', which"):
        run("ab")


def test_pictures_as_paths_and_as_arrays(monkeypatch, tmp_path):
    class Digits(Problem):
        def encode(self, example):
            return {field: np.asarray(value) for field, value in example.items()}

        def features(self):
            return {"inputs": Image(2, 2, 1), "targets": Label(10)}

    def answer(features, search=None, draw=0):
        return {"values": features["inputs"].max((1, 2, 3)).astype("int32")[:, None]}

    run = opened(monkeypatch, Digits(), answer)
    (tmp_path / "3.png").write_bytes(png(np.full((2, 2, 1), 3)))
    assert run(tmp_path / "3.png") == "3" and run([str(tmp_path / "3.png")]) == ["3"]
    arrays = np.stack([np.full((2, 2, 1), digit) for digit in (8, 3)])
    assert run(arrays) == ["8", "3"] and run(arrays[0]) == "8"


def test_kt2t_stays_light():
    code = "import sys, kt2t; kt2t.load; sys.exit(any(one in sys.modules for one in ('keras', 'tensorflow', 'jax')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_model_of_a_run_takes_texts(run):
    texts = ["1 2 3", "4"]
    found = run.model.generate(texts)
    assert run.problem.decode("targets", found["ids"]) == [[one] for one in run(texts, search="greedy")]
    assert run.model.answer("1 2 3")["values"].tolist() == run.model.generate(["1 2 3"])["ids"].tolist()
    with pytest.raises(DataError, match="'abc' is not a list of whole numbers"):
        run.model.generate(["abc"])
