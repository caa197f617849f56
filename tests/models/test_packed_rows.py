"""The law of packing: examples that share rows train a model as examples in rows of their own do."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import forward, gradients, numbers
from keras import ops

from kt2t.data.padding import collate
from kt2t.data.plan import Plan
from kt2t.features import END, Tags, Text
from kt2t.layers import LearnedPositions
from kt2t.losses import CrossEntropy
from kt2t.metrics import Perplexity, SequenceAccuracy, TokenAccuracy
from kt2t.models import Transformer, TransformerEncoder, TransformerLM
from kt2t.ops.paths import attribute_paths
from kt2t.ops.segments import showing

SIZES = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2, "dropout": 0.0}
TEXTS = {"inputs": Text(12), "targets": Text(12)}
CASES = {
    "sinusoids": (Transformer, TEXTS, {}),
    "learned positions": (Transformer, TEXTS, {"positions": LearnedPositions(20), "norm": "post"}),
    "language model": (TransformerLM, {"targets": Text(12)}, {}),
    "language model after inputs": (TransformerLM, TEXTS, {}),
    "tags": (TransformerEncoder, {"inputs": Text(12), "targets": Tags(4)}, {}),
}
PACK = 16


class Loss(keras.layers.Layer):
    """The summed loss of a batch."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.built = True

    def call(self, x, y, weight):
        return ops.sum(CrossEntropy(label_smoothing=0.1).call(y, self.model(x, training=True)) * weight)


def examples_of(features, count=20):
    random = np.random.default_rng(3)
    found = []
    for _ in range(count):
        length = int(random.integers(1, 9))
        example = {}
        for field, feature in features.items():
            if isinstance(feature, Tags):
                example[field] = random.integers(1, 5, length)
            else:
                other = (
                    length if "targets" in example or Tags in map(type, features.values()) else random.integers(1, 9)
                )
                example[field] = np.append(random.integers(2, 12, other - 1), END)
        found.append(example)
    return found


def padded_and_packed(examples, features):
    plan = Plan({field: np.array([len(e[field]) for e in examples]) for field in features}, tokens=160, pack=PACK)
    assert len(plan) == 1
    planned = plan.batch(0)
    assert (planned.indices >= 0).sum(1).max() > 2
    rows = [[examples[index] for index in row if index >= 0] for row in planned.indices]
    return collate(examples, features), collate(rows, features, planned.shape)


def made(case):
    cls, features, options = CASES[case]
    keras.utils.set_random_seed(5)
    model = cls(features, **SIZES, **options)
    model.build()
    for path, weight in attribute_paths(model).items():  # larger than at first, so that nothing is nearly even
        weight.assign(numbers(weight) * (3 if "table" in path else 1.5))
    return model, padded_and_packed(examples_of(features), features)


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients(case):
    model, (padded, packed) = made(case)
    loss = Loss(model)
    expected, found = (float(forward(loss)(*batch)) for batch in (padded, packed))
    assert found == pytest.approx(expected, rel=1e-6)
    one, other = (gradients(loss, batch, {}) for batch in (padded, packed))
    scale = max(np.abs(gradient).max() for gradient in one.values())
    for path, gradient in one.items():
        assert np.abs(other[path] - gradient).max() <= 1e-5 * max(np.abs(gradient).max(), 1e-2 * scale), path


@pytest.mark.parametrize("case", CASES)
def test_metrics(case):
    model, batches = made(case)
    features = CASES[case][1]
    examples = examples_of(features)
    for number, example in enumerate(examples):  # every third is known by heart: whole sequences are right as well
        example["targets"] = np.full_like(example["targets"], 2 if number % 3 == 0 else 1)
    known = [targets == 2 for _, targets, _ in padded_and_packed(examples, features)]
    found = []
    for (x, y, weight), is_known in zip(batches, known, strict=True):
        logits = numbers(forward(model)(x, training=False))
        logits += 30 * is_known[..., None] * np.eye(logits.shape[-1])[y]
        metrics = [TokenAccuracy(), Perplexity(), SequenceAccuracy()]
        with showing(x.get("targets_segments", x.get("inputs_segments"))):
            for metric in metrics:
                metric.update_state(y, logits.astype("float32"), weight)
        found.append([float(metric.result()) for metric in metrics])
    assert found[1] == pytest.approx(found[0], rel=1e-6)
    assert found[0][2] > 0.3 and max(found[0][0], found[0][2]) < 1


@pytest.mark.parametrize("field", ["inputs", "targets"])
def test_a_neighbour_changes_nothing(field):
    model, (_, (x, y, _)) = made("sinusoids")
    before = numbers(forward(model)(x, training=False))
    changed = {**x, field: np.where(x[f"{field}_segments"] == 2, 12 - x[field], x[field])}
    after = numbers(forward(model)(changed, training=False))
    own = x["targets_segments"] == 2
    assert np.abs(after - before)[own].max() > 1e-2
    np.testing.assert_allclose(after[~own & (y > 0)], before[~own & (y > 0)], atol=1e-6)


def test_evaluation_by_the_trainer():
    """What `fit` and `evaluate` see is the same, sequence by sequence."""
    model, (padded, packed) = made("sinusoids")
    model.compile("sgd", CrossEntropy(), metrics=[TokenAccuracy(), Perplexity(), SequenceAccuracy()])
    weights = [numbers(weight) for weight in model.trainable_variables]
    logs, after = [], []
    for batch in (padded, packed):
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
        tensors = [{name: ops.convert_to_tensor(value) for name, value in batch[0].items()}, *batch[1:]]
        logs.append(model.fit(*tensors[:2], sample_weight=tensors[2], batch_size=64, epochs=1, verbose=0).history)
        after.append([numbers(weight) for weight in model.trainable_variables])
    for name, values in logs[0].items():
        assert logs[1][name] == pytest.approx(values, rel=1e-5), name
    for one, other in zip(*after, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)
