"""One recipe for each kind of data, at a small size: the law of split batches, restarts after kill -9, and the JAX backend.

The kinds are pictures, folders of pictures, sound, tags, and two targets. `test_recipes_train.py` trains them on TensorFlow.
`test_jax.py` runs this file once more on JAX.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time

import keras
import numpy as np
import pytest
from small_raw_data import raw_data

from kt2t.callbacks.scoring import decode_split
from kt2t.cli.main import run
from kt2t.recipe_file import load
from kt2t.run.assemble import assemble, problem_of
from kt2t.training.checkpoints import saved, verify

ON_JAX = keras.backend.backend() == "jax"
ENCODER = ("model.num_layers=1", "model.hidden_dim=16", "model.intermediate_dim=16", "model.num_heads=2")
# Each kind of data and each model; the other recipes share their code.
RECIPES = {
    "image/mnist_dense": ("model.widths=[16]", "problem.validation_examples=9"),
    "image/folder": (
        *("model.hidden_dim=8", "model.filters=[8]", "model.intermediate_dim=16"),
        *("problem.height=16", "problem.width=16"),
    ),
    "speech/fsdd": ENCODER,
    "tagging/two_targets": ENCODER,
}
CODE = """
import sys
from kt2t.cli.main import main
from kt2t.data import reader
threads = int(sys.argv.pop(1))
reader.cores = lambda: threads
main(sys.argv[1:])
"""


def words(name, folder, *more):
    """The overrides of a recipe that make it small and point it to small raw files, which are written."""
    folder.mkdir(exist_ok=True)
    places = raw_data(folder, load(name).nodes["problem"]["type"])
    return [*(f"problem.{option}={place}" for option, place in places.items()), *RECIPES[name], *more]


class Steps(keras.callbacks.Callback):
    """The logs of every step."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: float(value) for name, value in logs.items()})


def trained(name, overrides, data):
    """The model and problem of a recipe after three steps on uneven rows, and the logs of these."""
    recipe = load(name, overrides)
    recipe.check()
    problem = problem_of(recipe)
    problem.prepare(data)
    model, steps = assemble(recipe, problem).model, Steps()
    batches = problem.batches("train", rows=7, shapes=1, seed=3)
    model.fit(batches, steps_per_epoch=3, verbose=0, callbacks=[steps])
    return model, problem, steps.logs


def evaluated(model, problem):
    return model.evaluate(problem.batches("validation", rows=7, shapes=1), verbose=0, return_dict=True)


@pytest.mark.skipif(ON_JAX, reason="TensorFlow's replicas")
@pytest.mark.parametrize("name", RECIPES)
def test_two_replicas_train_like_one_device(name, tmp_path):
    """Of two micro-batches each, but for sound, whose graphs take longest to make."""
    sgd = "optimizer={type: SGD, learning_rate: 0.1}"
    plain = words(name, tmp_path / "raw", "model.dropout=0", "train.dtype=float32", sgd)
    is_slow = name == "speech/fsdd"
    split = ("train.strategy=mirrored", f"train.micro_batches={1 if is_slow else 2}")
    model, problem, logs = trained(name, [*plain, *split], tmp_path / "data")
    whole, _, wanted = trained(name, [*plain, "train.strategy=none"], tmp_path / "data")
    assert len(logs) == len(wanted) == 3 and len({one["loss"] for one in wanted}) == 3
    for one, other in zip(logs, wanted, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-7)
    for one, other in zip(model.weights, whole.weights, strict=True):
        one, other = map(keras.ops.convert_to_numpy, (one, other))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * max(1e-3, np.abs(other).max()))
    if not is_slow:  # the metric is that of pictures
        assert evaluated(model, problem) == pytest.approx(evaluated(whole, problem), rel=1e-5, abs=1e-7)


@pytest.mark.skipif(not ON_JAX, reason="test_recipes_train.py does more on TensorFlow")
@pytest.mark.parametrize("name", [name for name in RECIPES if name != "image/folder"])
def test_it_trains_is_evaluated_and_answers_on_jax(name, tmp_path):
    model, problem, logs = trained(name, words(name, tmp_path / "raw", "train.dtype=float32"), tmp_path / "data")
    figures = [*(one["loss"] for one in logs), *evaluated(model, problem).values()]
    assert len(logs) == 3 and all(map(math.isfinite, figures))
    found = dict(decode_split(model, problem, "validation", limit=4, shapes=1))
    references = problem.references("validation")
    assert 0 < len(found) <= 4
    for number, answer in found.items():
        right = references[number]["targets"]
        assert type(answer) is type(right)
        if isinstance(right, dict):
            assert answer.keys() == right.keys() and len(answer["tags"]) == len(right["tags"])


@pytest.mark.skipif(not ON_JAX, reason="test_recipes_train.py and tests/cli do this on TensorFlow")
def test_the_commands_train_and_predict_on_jax(tmp_path, capsys):
    small = words("image/folder", tmp_path / "raw", "train.steps=3", "train.batch={rows: 8}", "report.every=3")
    small += ["--data-dir", str(tmp_path / "data")]
    assert run(["train", "image/folder", *small, "--run-dir", str(tmp_path / "run")]) == 0, capsys.readouterr().err
    capsys.readouterr()
    (tmp_path / "asked.txt").write_text(f"{tmp_path / 'raw' / 'cat' / '0.jpg'}\n")
    assert run(["predict", str(tmp_path / "run"), str(tmp_path / "asked.txt")]) == 0
    assert capsys.readouterr().out.strip() in ("cat", "dog")


@pytest.mark.skipif(ON_JAX, reason="the reader and the restart are the same on JAX")
def test_pictures_train_to_the_same_bits_with_any_threads_and_after_kill_9(tmp_path, nursery):
    small = words("image/folder", tmp_path / "raw", "train.steps=40", "train.batch={rows: 8}", "report.every=4")
    small += ["train.deterministic=true", "report.keep=100", "report.samples=1", "--data-dir", str(tmp_path / "data")]

    def start(threads, run):
        return nursery.start(str(threads), "train", "image/folder", *small, "--run-dir", str(run), code=CODE)

    def hashes(run):
        return {path.name: {file: one["sha256"] for file, one in verify(path).files.items()} for path in saved(run)}

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    undisturbed = start(1, whole)
    assert undisturbed.wait() == 0, undisturbed.stderr()
    killed = start(2, cut)
    while not (cut / "checkpoints").is_dir() or not saved(cut / "checkpoints"):
        assert killed.poll() is None, killed.stderr()
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert saved(cut / "checkpoints")[-1].name != "step-40"
    again = start(8, cut)
    assert again.wait() == 0, again.stderr()
    assert hashes(cut / "checkpoints") == hashes(whole / "checkpoints") != {}
