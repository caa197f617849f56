"""A new process that has imported nothing but kt2t and keras opens what another one saved."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from model_harness import text_batch

from kt2t import layers, losses, metrics, models, training
from kt2t.features import Text
from kt2t.keras_registry import PACKAGES, StandIn, fill_in
from kt2t.options import is_keras
from kt2t.registry import ROOMS, registered, table

ROOT = Path(__file__).resolve().parent.parent
FEATURES = {"inputs": Text(12), "targets": Text(12)}
SIZES = {"num_layers": 1, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}
OPENED = """\
import json, sys
import kt2t
assert "keras" not in sys.modules
import keras
import numpy as np

folder = sys.argv[1]
batch = dict(np.load(folder + "/batch.npz"))
model = keras.models.load_model(folder + "/model.keras")
optimizer = model.optimizer
functional = keras.models.load_model(folder + "/functional.keras")
again = keras.models.model_from_json(open(folder + "/functional.json").read())
again.set_weights(functional.get_weights())
ids = batch["inputs"]
figures = model.evaluate(batch, batch["targets"], verbose=0, return_dict=True)
np.savez(folder + "/found.npz", logits=model(batch), functional=functional(ids), again=again(ids))
print(json.dumps({
    "classes": [type(one).__module__ for one in (model, optimizer, optimizer._learning_rate)],
    "step": int(optimizer.iterations),
    "figures": figures,
}))
"""


def child(code: str, *arguments: str, **environment: str) -> str:
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=given)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="saving does not depend on the backend")
def test_a_new_process_opens_what_another_one_saved(tmp_path):
    batch = text_batch()
    model = models.Transformer(FEATURES, **SIZES, normalization=layers.L2Norm())
    schedule = training.Noam(hidden_dim=16, warmup=10)
    loss = losses.CrossEntropy(label_smoothing=0.1)
    model.compile(training.Adam(learning_rate=schedule, clipnorm=1.0), loss, metrics=[metrics.TokenAccuracy()])
    model.fit(batch, batch["targets"], verbose=0)
    model.save(tmp_path / "model.keras")
    ids = keras.Input((None,), dtype="int32")
    states = layers.stack_of(1, 16, 24, 2)(layers.TokenEmbedding(12, 16, mask_zero=True)(ids))
    functional = keras.Model(ids, layers.LabelHead(3)(states))
    functional.save(tmp_path / "functional.keras")
    (tmp_path / "functional.json").write_text(functional.to_json())
    np.savez(tmp_path / "batch.npz", **batch)

    told = json.loads(child(OPENED, str(tmp_path)))

    assert all(module.startswith("kt2t.") for module in told["classes"])
    assert told["step"] == 1
    figures = model.evaluate(batch, batch["targets"], verbose=0, return_dict=True)
    assert told["figures"] == pytest.approx(figures, rel=1e-6)
    found = np.load(tmp_path / "found.npz")
    np.testing.assert_array_equal(found["logits"], model(batch))
    for name in ("functional", "again"):
        np.testing.assert_array_equal(found[name], functional(batch["inputs"]))


@pytest.mark.parametrize("order", ["kt2t, keras", "keras, kt2t", "kt2t\nimportlib.util.find_spec('keras')\nimport keras"])
def test_the_order_of_the_imports_does_not_matter(order):
    code = (
        f"import importlib.util, sys, {order}\n"
        "known = keras.saving.get_custom_objects()\n"
        "layer = keras.layers.deserialize({'module': None, 'class_name': 'LayerNorm', 'config': {'epsilon': 0.5},\n"
        "    'registered_name': 'kt2t>LayerNorm'})\n"
        "found = known['kt2t>LayerNorm']\n"
        "print(layer.epsilon, type(layer) is found, 'kt2t.layers.lstm' in sys.modules,\n"
        "    any('kt2t' in type(one).__module__ for one in sys.meta_path))"
    )
    assert child(code, KERAS_BACKEND="numpy") == "0.5 True False False"


def test_every_class_of_ours_that_keras_saves_has_a_name_there():
    everything = {getattr(importlib.import_module(room), name) for room in ROOMS for name in table(room)}
    saved = [one for one in everything if isinstance(one, type) and is_keras(one) and one in registered().values()]
    assert {layers.Attention, models.Transformer, losses.CrossEntropy, training.Noam, training.Adam} <= set(saved)
    fill_in()
    known = keras.saving.get_custom_objects()
    for cls in saved:
        assert known[f"kt2t>{cls.__name__}"] is cls, "a stand-in took the place of a class"
        assert any(cls.__name__ in table(package) for package in PACKAGES), f"a new process does not find {cls}"


def test_a_stand_in_imports_its_class_when_it_is_asked():
    stand_in = StandIn("kt2t.layers", "Tap")
    assert repr(stand_in) == "<kt2t.layers.Tap, not imported yet>"
    assert stand_in(kind="x").kind == "x" and stand_in.from_config({"kind": "y"}).kind == "y"
    assert not hasattr(stand_in, "__deepcopy__")


def test_a_model_is_cloned():
    model = models.Transformer(FEATURES, **SIZES)
    batch = text_batch()
    for copy in (type(model).from_config(model.get_config()), keras.models.model_from_json(model.to_json())):
        model.build()
        copy.build()
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(one(batch)) for one in (copy, model)))
