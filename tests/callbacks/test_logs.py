"""Names of metrics, and which way each is better."""

from __future__ import annotations

import pytest

from kt2t.callbacks.logs import bare, is_better, mode_of, training, validation, value_of, without_validation

LOGS = {"loss": 3.0, "learning_rate": 0.1, "val_loss": 2.0, "validation_bleu": 11.0}


def test_validation_and_training_are_told_apart():
    assert validation(LOGS) == {"loss": 2.0, "bleu": 11.0}
    assert training(LOGS) == {"loss": 3.0, "learning_rate": 0.1}
    assert validation(None) == training(None) == {}


@pytest.mark.parametrize("name", ["bleu", "val_bleu", "validation_bleu", "validation bleu"])
def test_every_spelling_means_the_same_value(name):
    assert bare(name) == "bleu"
    assert value_of(name, LOGS) == 11.0


def test_loss_is_that_of_validation_where_there_is_one():
    assert value_of("loss", LOGS) == 2.0
    assert value_of("loss", {"loss": 3.0}) == 3.0
    assert value_of("learning_rate", LOGS) is None
    assert value_of("rouge", {}) is None


@pytest.mark.parametrize(
    ("metric", "mode"),
    [("loss", "min"), ("validation loss", "min"), ("perplexity", "min"), ("wer", "min"), ("targets_loss", "min"),
     ("bits_per_byte", "min"), ("bleu", "max"), ("token_accuracy", "max"), ("chrf", "max"), ("answer", "max")],
)  # fmt: skip
def test_mode_follows_the_name(metric, mode):
    assert mode_of(metric) == mode


def test_better():
    assert is_better(1.0, None, "min") and is_better(1.0, 2.0, "min") and not is_better(2.0, 1.0, "min")
    assert is_better(2.0, 1.0, "max") and not is_better(1.0, 1.0, "max")
    assert not is_better(1.95, 2.0, "min", min_delta=0.1)
    assert not is_better(float("nan"), None, "min") and not is_better(float("nan"), 1.0, "max")


def test_validation_values_are_taken_out():
    given = {"loss": 1.0, "val_loss": 2.0, "validation_bleu": 3.0}
    without_validation(given)
    assert given == {"loss": 1.0}
