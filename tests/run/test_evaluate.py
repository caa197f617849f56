import json

import pytest

from kt2t.errors import DataError
from kt2t.run.evaluate import evaluate


def test_metrics_scores_signatures_and_samples(tiny_run, tiny_data):
    evaluation = evaluate(tiny_run, "validation", "last", tiny_data, samples=3)
    values = evaluation.values()
    assert {"loss", "token_accuracy", "sequence_accuracy", "perplexity", "exact_match"} <= set(values)
    assert values["perplexity"] > 1 and 0 <= values["token_accuracy"] <= 1
    assert len(evaluation.samples) == 3 and set(evaluation.samples[0]) == {"inputs", "targets", "prediction"}
    kept = json.loads((tiny_run / "evaluation-validation.json").read_text())
    assert kept["metrics"] == evaluation.metrics and kept["step"] == 12


def test_perplexity_is_exp_of_the_loss_where_nothing_is_smoothed(tiny_run, tiny_data):
    import math

    metrics = evaluate(tiny_run, "validation", "last", tiny_data, samples=0).metrics
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]), rel=1e-5)


def test_any_split_of_the_problem(tiny_run, tiny_data):
    assert evaluate(tiny_run, "long", "last", tiny_data).split == "long"
    with pytest.raises(DataError, match="'test' is not a split .* There are: train, validation, long"):
        evaluate(tiny_run, "test", "last", tiny_data)
