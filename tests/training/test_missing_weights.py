"""Padding weighs nothing where no weights are given; `test_jax_trainer.py` runs this file once more on JAX."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest

from kt2t.features import Label, Numbers, Tags, Text
from kt2t.losses import CrossEntropy
from kt2t.training.missing_weights import weighted
from kt2t.training.trainer import Trainer

IDS = np.array([[3, 2, 1, 0, 0], [4, 3, 2, 2, 1], [2, 1, 0, 0, 0]], "int32")
SEGMENTS = np.array([[1, 1, 2, 0, 0], [1, 2, 2, 2, 3], [1, 1, 1, 1, 0]], "int32")


def found(data, targets=None):
    told = []
    tensors = keras.tree.map_structure(lambda one: None if one is None else keras.ops.convert_to_tensor(one), data)
    _, _, weights = weighted(tensors, targets, lambda: told.append(True))
    weights = keras.tree.map_structure(lambda one: None if one is None else keras.ops.convert_to_numpy(one), weights)
    return weights, bool(told)


@pytest.mark.parametrize(
    ("x", "targets", "wanted"),
    [
        ({"targets_segments": SEGMENTS}, Text(9), SEGMENTS > 0),
        ({"targets_segments": SEGMENTS}, None, SEGMENTS > 0),
        ({"inputs_segments": SEGMENTS}, Tags(9), SEGMENTS > 0),
        ({"inputs": IDS}, Text(9), IDS > 0),
        ({"inputs": IDS}, Tags(9), IDS > 0),
    ],
)
def test_padding_of_a_target_weighs_nothing(x, targets, wanted):
    weights, told = found((x, IDS, None), targets)
    assert told and weights.dtype == np.float32
    np.testing.assert_array_equal(weights, wanted)


@pytest.mark.parametrize(
    ("data", "targets"),
    [
        (({"inputs_segments": SEGMENTS}, IDS, None), None),  # nothing tells that the targets share these
        (({"inputs_segments": SEGMENTS}, IDS[:, 0], None), Label(5)),
        (({"inputs": IDS}, IDS.astype("float32"), None), Numbers(5)),
        ((IDS, None, None), Text(9)),
    ],
)
def test_what_has_no_padding_stays_without_weights(data, targets):
    assert found(data, targets) == (None, False)


def test_weights_that_are_given_stay():
    given = np.ones((3, 5), "float32")
    weights, told = found(({"targets_segments": SEGMENTS}, IDS, given), Text(9))
    assert not told and (weights == 1).all()


def test_of_several_targets_those_without_weights_get_them():
    targets = {"tags": Tags(9), "label": Label(5), "title": Text(9)}
    y = {"tags": IDS, "label": IDS[:, 0], "title": IDS}
    x = {"inputs_segments": SEGMENTS}
    weights, told = found((x, y, None), targets)
    assert told and weights["label"] is None
    np.testing.assert_array_equal(weights["tags"], SEGMENTS > 0)
    np.testing.assert_array_equal(weights["title"], IDS > 0)
    weights, _ = found((x, y, {"tags": np.ones((3, 5)), "label": np.ones(3)}), targets)
    assert (weights["tags"] == 1).all() and (weights["title"] == (IDS > 0)).all()
    assert found((x, y, None)) == (None, False)


class Bigram(Trainer):
    """Logits of a word from the word of the inputs."""

    def __init__(self):
        super().__init__()
        self.features = {"inputs": Text(6), "targets": Text(6)}
        self.table = self.add_weight(shape=(6, 6), name="table")
        self.table.assign(np.random.default_rng(1).normal(size=(6, 6)))
        self.built = True

    def call(self, features):
        return keras.ops.take(self.table, features["inputs"], axis=0)


def test_a_plain_script_does_not_count_padding(caplog):
    model = Bigram()
    model.compile(keras.optimizers.SGD(0.0), CrossEntropy(), metrics=["accuracy"])
    logits = keras.ops.convert_to_numpy(model.table)[IDS].astype("float64")
    nll = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, IDS[..., None], -1)[..., 0]
    right = logits.argmax(-1) == IDS
    wanted = {"loss": nll[IDS > 0].mean(), "accuracy": right[IDS > 0].mean()}
    assert wanted["loss"] != pytest.approx(nll.mean(), rel=1e-3)
    with caplog.at_level(logging.WARNING, "kt2t"):
        found = model.evaluate({"inputs": IDS}, IDS, verbose=0, return_dict=True)
        history = model.fit({"inputs": IDS}, IDS, verbose=0).history
    assert found == pytest.approx(wanted, rel=1e-5)
    assert {name: history[name][0] for name in wanted} == pytest.approx(wanted, rel=1e-5)
    assert model.tokens_seen == (IDS > 0).sum()
    assert [record.getMessage() for record in caplog.records if "no sample weights" in record.getMessage()] == [
        "no sample weights were given: padding (segment 0, or id 0) weighs nothing, all else 1"]  # fmt: skip
