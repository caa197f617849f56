from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.training.flat_metric import FlatMetric, flat

DRAW = np.random.default_rng(0)


def batch(rows, time):
    ids, logits = DRAW.integers(0, 5, (rows, time)), DRAW.normal(size=(rows, time, 5)).astype("float32")
    return ids, logits, (DRAW.random((rows, time)) > 0.4).astype("float32")


BATCHES = [batch(2, 9), batch(3, 2)]


@pytest.mark.parametrize("metric", ["accuracy", "acc", "sparse_categorical_accuracy"])
def test_a_position_counts_the_same_in_every_batch(metric):
    metric = FlatMetric(metric)
    for ids, logits, weights in BATCHES:
        metric.update_state(ids, logits, weights)
    right = sum(((logits.argmax(-1) == ids) * weights).sum() for ids, logits, weights in BATCHES)
    assert float(metric.result()) == pytest.approx(right / sum(weights.sum() for *_, weights in BATCHES), rel=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_without_weights_of_positions_nothing_is_changed():
    ours, theirs = FlatMetric("sparse_categorical_crossentropy"), keras.metrics.SparseCategoricalCrossentropy()
    ids, logits = DRAW.integers(0, 5, 6), np.abs(DRAW.normal(size=(6, 5))).astype("float32")
    for weights in (None, np.arange(6, dtype="float32")):
        for metric in (ours, theirs):
            metric.update_state(ids, logits, sample_weight=weights)
    assert float(ours.result()) == pytest.approx(float(theirs.result()), rel=1e-6)


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        (((4, 1), (4, 1)), "BinaryAccuracy"),
        (((4,), (4, 3)), "SparseCategoricalAccuracy"),
        (((4, 3), (4, 3)), "CategoricalAccuracy"),
    ],
)
def test_accuracy_is_chosen_by_the_shapes(shapes, kind):
    metric = FlatMetric("accuracy")
    metric.update_state(*(np.zeros(shape, "float32") for shape in shapes))
    assert type(metric.inner).__name__ == kind
    assert metric.name == "accuracy"


def test_a_function_keeps_its_name():
    def distance(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    assert flat(distance).name == "distance"


def test_metrics_of_others_are_left_alone():
    class Mine(keras.metrics.Mean):
        pass

    mine = Mine()
    assert flat(mine) is mine
    assert isinstance(flat(keras.metrics.Mean()), FlatMetric)


def test_one_number_for_a_batch_counts_as_much_as_the_batch_weighs():
    def worst(y_true, y_pred):
        return keras.ops.max(keras.ops.abs(y_true - y_pred))

    y, y_pred = DRAW.normal(size=(5, 2)), DRAW.normal(size=(5, 2))
    weights = DRAW.random(5)
    weighted, plain = flat(worst), flat(worst)
    for rows in (slice(0, 3), slice(3, 5)):
        weighted.update_state(y[rows], y_pred[rows], weights[rows])
        plain.update_state(y[rows], y_pred[rows])
    values = [np.abs(y[rows] - y_pred[rows]).max() for rows in (slice(0, 3), slice(3, 5))]
    assert float(weighted.result()) == pytest.approx(np.average(values, weights=[weights[:3].sum(), weights[3:].sum()]))
    assert float(plain.result()) == pytest.approx(np.average(values, weights=[3, 2]))
