"""Further metrics that a recipe names: nodes, names, several targets, and what does not fit."""

import json

import keras
import numpy as np
import pytest

from kt2t.cli.main import run
from kt2t.errors import RecipeError
from kt2t.metrics import TokenAccuracy
from kt2t.recipe_file import load
from kt2t.report_metrics import metric_nodes, try_metrics, with_metrics
from kt2t.run.evaluate import evaluate
from kt2t.run.train import train

QUICK = ("report.score=false", "report.attention_maps=false", "train.steps=4")
TOP = "[{type: TokenAccuracy, top: 2, name: ours}, {type: SparseTopKCategoricalAccuracy, k: 2, name: theirs}]"


def test_ours_and_those_of_keras_are_measured_beside_the_problems_own(tiny, tmp_path, tiny_data):
    recipe = load(str(tiny), [*QUICK, f"report.metrics={TOP}", "report.best=theirs"])
    recipe.check()
    outcome = train(recipe, tmp_path / "run", tiny_data)
    values = outcome.evaluation.values()
    assert {"loss", "token_accuracy", "sequence_accuracy", "ours", "theirs"} <= set(values)
    assert values["ours"] == pytest.approx(values["theirs"], abs=1e-6)  # two implementations of the same share
    assert values["token_accuracy"] <= values["ours"] <= 1
    assert "validation_theirs" in (tmp_path / "run" / "log.txt").read_text()
    assert list((tmp_path / "run" / "tensorboard" / "validation").iterdir())
    assert json.loads((tmp_path / "run" / "checkpoints" / "best.json").read_text())["metric"] == "theirs"
    assert evaluate(tmp_path / "run", data_dir=tiny_data).metrics["theirs"] == pytest.approx(values["theirs"])
    again = load(str(tiny), [*QUICK, "train.steps=6", "report.best=loss"])  # metrics may change as a run goes on
    assert "theirs" not in train(again, tmp_path / "run", tiny_data).evaluation.values()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("[TokenAcuracy]", "report.metrics.0.type: no metric is registered as 'TokenAcuracy'. Did you mean 'TokenAccuracy'"),
        ("[Bleu]", "report.metrics.0: Bleu is a score of decoded answers"),
        ("[{type: TokenAccuracy, topp: 2}]", "report.metrics.0.topp: TokenAccuracy has no option 'topp'"),
        ("TokenAccuracy", "report.metrics: 'TokenAccuracy' should be a list"),
        ("[3]", "report.metrics.0: 3 should be a mapping"),
    ],
)
def test_what_is_wrong_is_found_without_keras(tiny, metrics, message, capsys):
    assert run(["explain", str(tiny), f"report.metrics={metrics}"]) == 2
    assert message in capsys.readouterr().err


def test_a_list_is_for_one_target_and_a_mapping_for_several():
    of_two = {"tags": [TokenAccuracy()], "label": []}
    found = with_metrics(of_two, {"label": ["TokenAccuracy", "SparseCategoricalAccuracy"]})
    assert {key: [metric.name for metric in several] for key, several in found.items()} == {
        "tags": ["token_accuracy"],
        "label": ["token_accuracy", "sparse_categorical_accuracy"],
    }
    with pytest.raises(RecipeError, match=r"report.metrics: the targets are several: tags, label. Give a list .* {tags: "):
        with_metrics(of_two, ["TokenAccuracy"])
    with pytest.raises(RecipeError, match=r"report.metrics.lable: there is no target 'lable'. There are: tags, label"):
        with_metrics(of_two, {"lable": ["TokenAccuracy"]})
    with pytest.raises(RecipeError, match=r"report.metrics.tags: there is a single target"):
        with_metrics([], {"tags": ["TokenAccuracy"]})


def test_two_metrics_of_one_name_are_refused():
    with pytest.raises(RecipeError, match=r"report.metrics.0: 'token_accuracy' is measured already.*name: …"):
        with_metrics([TokenAccuracy()], ["TokenAccuracy"])
    named = with_metrics([TokenAccuracy()], [{"type": "TokenAccuracy", "name": "again"}])
    assert [metric.name for metric in named] == ["token_accuracy", "again"]


def test_accuracy_is_kerass_metric_and_not_our_score():
    assert isinstance(with_metrics([], ["Accuracy"])[0], keras.metrics.Accuracy)
    assert not list(metric_nodes(None)) and with_metrics([], None) == []


def test_a_metric_that_does_not_fit_is_refused_before_training():
    logits = np.zeros((2, 3, 5), "float32")
    sample = {"inputs": np.ones((2, 3), "int32"), "targets": np.ones((2, 3), "int32")}

    def model(features, training):
        return logits

    try_metrics(model, sample, ["TokenAccuracy", "SparseCategoricalAccuracy"])
    with pytest.raises(RecipeError, match=r"report.metrics.1: CosineSimilarity cannot be computed from .*\(2, 3, 5\)"):
        try_metrics(model, sample, ["TokenAccuracy", "CosineSimilarity"])


def test_one_of_several_targets_is_tried():
    predicted = {"tags": np.zeros((2, 3, 5), "float32"), "label": np.zeros((2, 4), "float32")}
    sample = {"targets": {"tags": np.ones((2, 3), "int32"), "label": np.ones(2, "int32")}}

    def model(features, training):
        return predicted

    try_metrics(model, sample, {"label": ["TokenAccuracy"], "tags": ["TokenAccuracy"]})
