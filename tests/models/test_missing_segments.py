"""A plain script gives ids and no segments: padding influences nothing, in every way to use a model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import forward, numbers
from model_harness import text_batch

from kt2t import models
from kt2t.decoding import Beam, Greedy
from kt2t.features import Label, Tags, Text
from kt2t.losses import CrossEntropy
from kt2t.ops.paths import attribute_paths

SIZES = {"num_layers": 1, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2, "dropout": 0.0}
BOTH = {"inputs": Text(12), "targets": Text(12)}
WITH = text_batch()
WITHOUT = {name: value for name, value in WITH.items() if not name.endswith("_segments")}
LENGTHS = {name: WITH[f"{name}_segments"].sum(1) for name in WITHOUT}
SHORT = (1, 4)  # rows with padding in both fields

MAKERS = {
    "Transformer": lambda: models.Transformer(BOTH, **SIZES),
    "TransformerLM": lambda: models.TransformerLM({"targets": Text(12)}, **SIZES),
    "TransformerLM, inputs": lambda: models.TransformerLM(BOTH, **SIZES),
    "LSTMSeq2Seq": lambda: models.LSTMSeq2Seq(BOTH, num_layers=1, hidden_dim=16, dropout=0.0),
    "label": lambda: models.TransformerEncoder({"inputs": Text(12), "targets": Label(3)}, **SIZES),
    "tags": lambda: models.TransformerEncoder({"inputs": Text(12), "targets": Tags(3)}, **SIZES),
    "several": lambda: models.TransformerEncoder(
        {"inputs": Text(12), "targets": {"tags": Tags(3), "label": Label(3)}}, **SIZES
    ),
}
WRITERS = ("Transformer", "TransformerLM, inputs", "LSTMSeq2Seq")


def random_model(name):
    model = MAKERS[name]()
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.5)
    return model


def read_by(model, batch):
    names = ["inputs"] if "inputs" in model.features else []
    names += ["targets"] if getattr(model.features["targets"], "is_fed_back", False) else []
    return {key: batch[key] for name in names for key in (name, f"{name}_segments") if key in batch}


def row(batch, index):
    return {name: value[index : index + 1, : LENGTHS[name][index]] for name, value in batch.items()}


def flat(logits):
    return logits if isinstance(logits, dict) else {"": logits}


@pytest.mark.parametrize("name", MAKERS)
def test_a_padded_row_is_the_row_alone(name):
    model = random_model(name)
    batch = read_by(model, WITHOUT)
    call = forward(model, training=False)
    whole = flat(call(batch))
    for index in SHORT:
        alone = flat(call(row(batch, index)))
        for key, logits in alone.items():
            found = numbers(whole[key])[index]
            found = found[: logits.shape[1]] if len(logits.shape) == 3 else found
            np.testing.assert_allclose(found, numbers(logits)[0], atol=1e-4)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("search", [Greedy(extra_length=4), Beam(2, extra_length=4)], ids=["greedy", "beam"])
def test_what_is_generated_is_that_of_the_row_alone(name, search):
    model = random_model(name)
    sources = {"inputs": WITHOUT["inputs"]}
    found, given = model.generate(sources, search), model.generate({k: WITH[k] for k in WITH if "inputs" in k}, search)
    np.testing.assert_array_equal(found["ids"], given["ids"])
    np.testing.assert_array_equal(found["scores"], given["scores"])
    for index in SHORT:
        alone = model.generate(row(sources, index), search)
        np.testing.assert_allclose(found["scores"][index], alone["scores"][0], atol=1e-4)
        width = min(found["ids"].shape[2], alone["ids"].shape[2])
        np.testing.assert_array_equal(found["ids"][index, :, :width], alone["ids"][0, :, :width])


def targets_of(model):
    random = np.random.default_rng(3)
    made = {
        "tags": random.integers(1, 4, WITH["inputs"].shape).astype("int32") * WITH["inputs_segments"],
        "label": random.integers(0, 3, len(WITH["inputs"])).astype("int32"),
    }
    targets = model.features["targets"]
    if isinstance(targets, dict) or hasattr(targets, "items"):
        return made
    return {Text: WITH["targets"], Tags: made["tags"], Label: made["label"]}[type(targets)]


@pytest.mark.parametrize("name", ["Transformer", "several"])
def test_fit_evaluate_and_predict_do_not_see_padding(name):
    found = []
    for batch in (WITH, WITHOUT):
        model = random_model(name)
        x, y = read_by(model, batch), targets_of(model)
        loss = {key: CrossEntropy() for key in y} if isinstance(y, dict) else CrossEntropy()
        model.compile(keras.optimizers.SGD(0.1), loss=loss)
        numbers_of_it = [model.evaluate(x, y, batch_size=8, verbose=0)]
        numbers_of_it += [model.fit(x, y, batch_size=8, verbose=0, shuffle=False).history["loss"][0]]
        predicted = flat(model.predict(x, verbose=0))
        found.append([*numbers_of_it, *(predicted[key] for key in sorted(predicted))])
    for given, derived in zip(*found, strict=True):
        np.testing.assert_array_equal(given, derived)


def test_answers_leave_padding_out():
    model = random_model("tags")
    found = model.answer({"inputs": WITHOUT["inputs"]})["values"][:, 0]
    np.testing.assert_array_equal(found == 0, WITH["inputs_segments"] == 0)


def test_parts_of_a_model_do_not_see_padding_either():
    model = random_model("Transformer")
    _, segments = model.encode(WITHOUT)
    np.testing.assert_array_equal(numbers(segments), WITH["inputs_segments"])
    given = model.decode(WITH, model.encode(WITH))
    np.testing.assert_array_equal(numbers(model.decode(WITHOUT, model.encode(WITHOUT))), numbers(given))
