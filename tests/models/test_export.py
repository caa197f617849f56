"""A SavedModel gives what the model gives, with and without segments."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from model_harness import text_batch

from kt2t import models
from kt2t.features import Audio, Image, Label, Numbers, Tags, Text

SIZES = {"num_layers": 1, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}
BOTH = {"inputs": Text(12), "targets": Text(12)}
SEVERAL = {"tags": Tags(3), "label": Label(3)}
BATCH = text_batch()
MAKERS = {
    "Transformer": lambda: models.Transformer({**BOTH, "target_space": Label(3)}, **SIZES),
    "TransformerLM": lambda: models.TransformerLM({"targets": Text(12)}, **SIZES),
    "TransformerEncoder": lambda: models.TransformerEncoder({"inputs": Text(12), "targets": Label(3)}, **SIZES),
    "several targets": lambda: models.TransformerEncoder({"inputs": Text(12), "targets": SEVERAL}, **SIZES),
    "LSTMSeq2Seq": lambda: models.LSTMSeq2Seq(BOTH, num_layers=1, hidden_dim=16),
}

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is TensorFlow's")


def exported(model, folder, **options):
    import tensorflow as tf

    model.export(folder, verbose=False, **options)
    return tf.saved_model.load(folder)


def read_by(model, segments):
    names = [name for name in ("inputs", "targets") if getattr(model.features.get(name), "has_segments", False)]
    names = [name for name in names if name == "inputs" or model.features[name].is_fed_back]
    batch = {name: BATCH[name] for name in names}
    if "target_space" in model.features:
        batch["target_space"] = np.arange(len(BATCH["inputs"]), dtype="int32") % 3
    return {**batch, **({f"{name}_segments": BATCH[f"{name}_segments"] for name in names} if segments else {})}


@pytest.mark.parametrize("name", MAKERS)
def test_a_model_that_was_never_called_is_exported(name, tmp_path):
    model = MAKERS[name]()
    loaded = exported(model, str(tmp_path / "m"))
    for endpoint, segments in ((loaded.serve, False), (loaded.serve_segments, True)):
        for rows in (8, 3):
            batch = {field: value[:rows] for field, value in read_by(model, segments).items()}
            found, expected = endpoint(batch), model(batch, training=False)
            for one, other in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
                np.testing.assert_allclose(numbers(one), numbers(other), atol=1e-5)
    assert "serving_default" in loaded.signatures


def test_fields_without_ids_are_exported(tmp_path):
    random = np.random.default_rng(0)
    picture = models.TransformerEncoder({"inputs": Image(8, 8), "targets": Numbers(2)}, **SIZES)
    pixels = random.integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    loaded = exported(picture, str(tmp_path / "picture"))
    np.testing.assert_allclose(loaded.serve({"inputs": pixels}), numbers(picture({"inputs": pixels})), atol=1e-5)
    sound = models.TransformerEncoder({"inputs": Audio(8000), "targets": Label(3)}, **SIZES)
    samples = random.normal(size=(2, 960)).astype("float32")
    batch = {"inputs": samples, "inputs_segments": np.array([[1] * 960, [1] * 400 + [0] * 560], "int32")}
    loaded = exported(sound, str(tmp_path / "sound"))
    np.testing.assert_allclose(loaded.serve(batch), numbers(sound(batch)), atol=1e-5)


def test_a_signature_that_is_given_wins(tmp_path):
    model = MAKERS["TransformerEncoder"]()
    given = [{"inputs": keras.InputSpec(shape=(None, 6), dtype="int32")}]
    loaded = exported(model, str(tmp_path / "m"), input_signature=given)
    batch = {"inputs": BATCH["inputs"]}
    np.testing.assert_allclose(loaded.serve(batch), numbers(model(batch)), atol=1e-5)
    assert not hasattr(loaded, "serve_segments")


def test_a_trained_model_is_exported_after_fit(tmp_path):
    model = MAKERS["TransformerEncoder"]()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    batch = {"inputs": BATCH["inputs"]}
    model.fit(batch, np.zeros(8, "int32"), verbose=0)
    loaded = exported(model, str(tmp_path / "m"))
    np.testing.assert_allclose(loaded.serve(batch), numbers(model(batch)), atol=1e-5)
