import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kt2t.callbacks import AttentionMaps, DecodedText, Scoring, TensorBoard
from kt2t.data import Problem
from kt2t.decoding import Greedy
from kt2t.errors import DataError
from kt2t.features import Label, Tags, Text
from kt2t.models import TransformerEncoder, TransformerLM
from kt2t.run.evaluate import evaluate, evaluate_model

SIZES = {"num_layers": 1, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}


class Texts(Problem):
    """Rows of ids, to be continued."""

    def examples(self, split):
        return [{"targets": [2 + row % 5, 3, 4, 5, 1]} for row in range(20)]

    def encode(self, example):
        return {field: np.array(ids, "int32") for field, ids in example.items()}

    def features(self):
        return {"targets": Text(8)}


class Tagged(Texts):
    """Each id's tag is its parity."""

    def examples(self, split):
        rows = [[2 + row % 5, 3, 4] for row in range(20)]
        return [{"inputs": ids, "targets": [1 + one % 2 for one in ids]} for ids in rows]

    def features(self):
        return {"inputs": Text(8), "targets": Tags(2)}


def assembly(problem, model):
    model.compile(keras.optimizers.SGD(0.01), loss=problem.loss(), metrics=problem.metrics())
    recipe = SimpleNamespace(train=SimpleNamespace(unpacked={"rows": 8}, shapes={}))
    return SimpleNamespace(problem=problem, model=model, search=Greedy(extra_length=2), recipe=recipe)


def test_metrics_scores_signatures_and_samples(tiny_run, tiny_data):
    evaluation = evaluate(tiny_run, "validation", "last", tiny_data, samples=3)
    values = evaluation.values()
    assert {"loss", "token_accuracy", "sequence_accuracy", "perplexity", "exact_match"} <= set(values)
    assert values["perplexity"] > 1 and 0 <= values["token_accuracy"] <= 1
    assert len(evaluation.samples) == 3 and set(evaluation.samples[0]) == {"inputs", "targets", "prediction"}
    kept = json.loads((tiny_run / "evaluation-validation.json").read_text())
    assert kept["metrics"] == evaluation.metrics and kept["step"] == 12


def test_a_run_that_cannot_be_written_is_measured_all_the_same(tiny_run, tiny_data, tmp_path, caplog):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "evaluation-validation.json").unlink(missing_ok=True)
    (run / "evaluation-validation.json").mkdir()  # root may write into a folder that is read-only
    (run / "evaluation-validation.json" / "x").touch()
    assert evaluate(run, "validation", "last", tiny_data, samples=0).values()["loss"] > 0
    assert "the result is not kept with the run" in caplog.text


def test_long_work_is_told(tiny_run, tiny_data):
    told = []
    found = evaluate(tiny_run, data_dir=tiny_data, progress=lambda *what: told.append(what))
    decoding = [(done, total) for done, total, what in told if what == "decoding"]
    assert decoding == [(done, 60) for done in range(1, 61)] and found.scores
    batches = [(done, total) for done, total, what in told if what == "batches"]
    assert batches == [(done, len(batches)) for done in range(1, len(batches) + 1)] and batches


def test_perplexity_is_exp_of_the_loss_where_nothing_is_smoothed(tiny_run, tiny_data):
    import math

    metrics = evaluate(tiny_run, "validation", "last", tiny_data, samples=0).metrics
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]), rel=1e-5)


def test_any_split_of_the_problem(tiny_run, tiny_data):
    assert evaluate(tiny_run, "long", "last", tiny_data).split == "long"
    with pytest.raises(DataError, match="'test' is not a split .* There are: train, validation, long"):
        evaluate(tiny_run, "test", "last", tiny_data)


def test_a_text_without_a_source_is_measured_and_continued_not_scored(tmp_path):
    problem = Texts()
    problem.prepare(tmp_path)
    found = evaluate_model(assembly(problem, TransformerLM(problem.features(), **SIZES)), "validation", 1, samples=1)
    assert found.metrics["perplexity"] > 1
    assert found.scores == {} and found.signatures == {}
    (sample,) = found.samples
    assert set(sample) == {"targets", "prediction"}
    assert sample["prediction"].split()[:2] == sample["targets"].split()[:2]
    assert sample["prediction"] != sample["targets"], "it was given its answer"


def test_a_tagger_has_metrics_scores_and_samples_and_its_views_are_shown(tmp_path):
    problem = Tagged()
    problem.prepare(tmp_path / "data")
    made = assembly(problem, TransformerEncoder(problem.features(), **SIZES))
    found = evaluate_model(made, "validation", 1, samples=2)
    assert 0 <= found.metrics["token_accuracy"] <= 1
    assert found.scores == {"tag_accuracy": pytest.approx(found.metrics["token_accuracy"])}
    assert len(found.samples) == 2 and len(found.samples[0]["prediction"].split()) == 3
    assert set(found.examples) == set(found.values()) and set(found.examples.values()) == {20}
    followers = [
        Scoring(problem),
        TensorBoard(tmp_path / "board", problem),
        DecodedText(problem),
        AttentionMaps(problem, tmp_path / "maps"),
    ]
    made.model.fit(problem.batches("train", rows=8), steps_per_epoch=2, epochs=1, verbose=0, callbacks=followers)
    assert list((tmp_path / "maps").rglob("attention-encoder_example_1.png"))
    shown = read_events(tmp_path / "board" / "validation")
    assert shown.Tags()["images"] == ["confusion", "attention/encoder_example_1"]
    assert shown.Tags()["tensors"] == ["decoded"] and "validation/tag_accuracy" in shown.Tags()["scalars"]


class Parity(Tagged):
    """Whether the sum of a row is odd."""

    def examples(self, split):
        rows = [[2 + row % 5, 3, 4 + row % 2] for row in range(20)]
        return [{"inputs": ids, "targets": sum(ids) % 2} for ids in rows]

    def features(self):
        return {"inputs": Text(8), "targets": Label(2)}


def test_what_the_metrics_of_a_label_give_already_is_not_decoded_again(tmp_path, monkeypatch):
    problem = Parity()
    problem.prepare(tmp_path / "data")
    made = assembly(problem, TransformerEncoder(problem.features(), **SIZES))
    monkeypatch.setattr("kt2t.callbacks.scoring.decode_split", lambda *_, **__: pytest.fail("the accuracy is there"))
    found = evaluate_model(made, "validation", 1, samples=3)
    assert 0 <= found.metrics["accuracy"] <= 1 and found.scores == {} and found.examples["accuracy"] == 20
    assert len(found.samples) == 3 and all(sample["prediction"] in ("0", "1") for sample in found.samples)


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()
