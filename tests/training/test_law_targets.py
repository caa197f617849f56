"""The law for several targets: tags and a label from one model, however a batch is split.

`test_jax_trainer.py` runs this file once more on JAX, where there are micro-batches alone.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.features import Label, Tags, Text
from kt2t.losses import CrossEntropy
from kt2t.metrics import SequenceAccuracy
from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer

ON_JAX = keras.backend.backend() == "jax"
SPLITS = [(1, 3)] if ON_JAX else [(2, 1), (1, 3), (2, 2)]
WORDS, TAGS, CLASSES = 11, 4, 3


class Tagger(Trainer):
    """An embedding, tags of each position, and a label of the mean over all positions that are no padding."""

    def __init__(self):
        super().__init__()
        self.features = {
            "inputs": Text(WORDS),
            "targets": {"tags": Tags(TAGS), "label": Label(CLASSES), "length": Label(9)},
        }
        self.embedding = keras.layers.Embedding(WORDS, 8)
        self.tags, self.label = keras.layers.Dense(TAGS + 1), keras.layers.Dense(CLASSES)
        self.embedding.build((None, None)), self.tags.build((None, None, 8)), self.label.build((None, 8))
        self.built = True

    def call(self, features):
        x = self.embedding(features["inputs"])
        real = keras.ops.cast(features["inputs_segments"] > 0, "float32")[:, :, None]
        pooled = keras.ops.sum(x * real, 1) / keras.ops.maximum(keras.ops.sum(real, 1), 1.0)
        return {"tags": self.tags(x), "label": self.label(pooled), "length": keras.ops.sum(pooled, 1)}


def per_row(y_true, y_pred):
    """A loss of whole rows, whose weights are those of positions."""
    return keras.ops.square(keras.ops.sum(keras.ops.cast(y_true, "float32"), 1) - y_pred)


per_row.per = "example"


def batches(count):
    """Odd numbers of rows, packed segments, padding, and a row that counts for no target."""
    draw = np.random.default_rng(1)
    found = []
    for _ in range(count):
        rows, time = (5, 6) if ON_JAX else (int(draw.integers(3, 8)), int(draw.integers(3, 7)))
        segments = np.sort(draw.integers(0, 3, (rows, time)), 1)
        segments = np.where(segments == 0, 1, np.where(segments == 1, 2, 0)).astype("int32")
        ids = (draw.integers(2, WORDS, (rows, time)) * (segments > 0)).astype("int32")
        tags = (draw.integers(1, TAGS + 1, (rows, time)) * (segments > 0)).astype("int32")
        weights = (segments > 0) * draw.random((rows, time))
        weights[0] = 0
        y = {"tags": tags, "label": draw.integers(0, CLASSES, rows).astype("int32"), "length": tags}
        rows_weights = draw.random(rows).astype("float32")
        rows_weights[0] = 0
        weight = {"tags": weights.astype("float32"), "label": rows_weights, "length": weights.astype("float32")}
        found.append(({"inputs": ids, "inputs_segments": segments}, y, weight))
    return found


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: float(value) for name, value in logs.items()})


def trained(split, data):
    replicas, micro_batches = split
    keras.utils.set_random_seed(7)
    with strategy_scope("mirrored" if replicas > 1 else "none"):
        model = Tagger()
        model.compile(
            keras.optimizers.SGD(0.5, global_clipnorm=1.0),
            {"tags": CrossEntropy(), "label": CrossEntropy(), "length": per_row},
            loss_weights={"label": 0.5, "length": 0.01},
            metrics={"tags": [SequenceAccuracy()], "label": ["accuracy"]},
            micro_batches=micro_batches,
        )
    steps = Steps()
    model.fit((one for one in data), verbose=0, callbacks=[steps])
    evaluation = model.evaluate((one for one in data[:3]), verbose=0, return_dict=True)
    return steps.logs, [keras.ops.convert_to_numpy(one) for one in model.weights], evaluation


@pytest.fixture(scope="module")
def wanted():
    data = batches(6)
    return data, trained((1, 1), data)


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: f"{split[0]} x {split[1]}")
def test_two_targets_are_trained_the_same_however_a_batch_is_split(split, wanted):
    data, (logs, ends, evaluation) = wanted
    found_logs, found_ends, found_evaluation = trained(split, data)
    names = {"loss", "tags_loss", "label_loss", "length_loss", "tags_sequence_accuracy", "label_accuracy"}
    assert set(evaluation) == names and set(logs[0]) == names | {"gradient_norm", "learning_rate", "bad_steps"}
    for one, other in zip(found_logs, logs, strict=True):
        assert one == pytest.approx(other, rel=2e-5, abs=1e-6)
    for one, other in zip(found_ends, ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert found_evaluation == pytest.approx(evaluation, rel=2e-5, abs=1e-6)


def test_the_first_step_by_hand(wanted):
    data, (logs, _, _) = wanted
    keras.utils.set_random_seed(7)
    features, y, weight = data[0]
    logits = {key: keras.ops.convert_to_numpy(one).astype("float64") for key, one in Tagger()(features).items()}

    def nll(key):
        chosen = np.take_along_axis(logits[key], y[key][..., None], -1)[..., 0]
        return np.log(np.exp(logits[key]).sum(-1)) - chosen

    rows = weight["length"].max(1)
    losses = {
        "tags_loss": (nll("tags") * weight["tags"]).sum() / weight["tags"].sum(),
        "label_loss": (nll("label") * weight["label"]).sum() / weight["label"].sum(),
        "length_loss": ((y["length"].sum(1) - logits["length"]) ** 2 * rows).sum() / rows.sum(),
    }
    losses["loss"] = losses["tags_loss"] + 0.5 * losses["label_loss"] + 0.01 * losses["length_loss"]
    assert {name: logs[0][name] for name in losses} == pytest.approx(losses, rel=1e-5)
    segments = features["inputs_segments"]
    right = logits["tags"].argmax(-1) == y["tags"]
    examples = [
        right[row][(segments[row] == number) & (weight["tags"][row] > 0)]
        for row in range(len(right))
        for number in (1, 2)
    ]
    sequences = [one.all() for one in examples if len(one)]
    assert logs[0]["tags_sequence_accuracy"] == pytest.approx(np.mean(sequences))
