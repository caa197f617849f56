from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from on_jax import on_jax

from kt2t.errors import NumericsError, ResourceError, RunError
from kt2t.ops import randomness
from kt2t.training import checkpoints
from kt2t.training.optimizers.adam import Adam
from kt2t.training.schedules import Noam
from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer

ROOT = Path(__file__).parents[2]
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(24, 3)).astype("float32"), DRAW.normal(size=(24, 2)).astype("float32")


class Small(Trainer):
    """Two dense layers with noise between, so that a step depends on the randomness of its number."""

    def __init__(self, width=4, depth=1, **options):
        super().__init__(**options)
        self.hidden = [keras.layers.Dense(width, activation="tanh") for _ in range(depth)]
        self.out = keras.layers.Dense(2)
        for index, layer in enumerate(self.hidden):
            layer.build((None, width if index else 3))
        self.out.build((None, width))
        self.built = True

    def call(self, x, training=False):
        for layer in self.hidden:
            x = layer(x)
        seed = randomness.layer_seed(self) if training else None
        return self.out(x if seed is None else x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=seed))


def compiled(optimizer=None, **options):
    model = Small(**options)
    model.compile(optimizer or Adam(Noam(4, 5), global_clipnorm=0.5), "mse", seed=7)
    return model


def trained(model, start, stop):
    for step in range(start, stop):
        model.train_on_batch(X[4 * step : 4 * step + 4], Y[4 * step : 4 * step + 4])
    return model


def state(model):
    values = [*model.weights, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(one)) for one in values]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(state(one), state(other), strict=True))


def test_training_continues_to_the_bit(tmp_path):
    keras.utils.set_random_seed(0)
    whole = compiled()
    checkpoints.save(tmp_path, whole, 0)
    trained(whole, 0, 6)
    half = compiled()
    checkpoints.restore(tmp_path / "step-0", half)
    path = checkpoints.save(tmp_path, trained(half, 0, 3), 3)
    continued = compiled()
    manifest = checkpoints.restore(path, continued)
    assert same(half, continued)
    trained(continued, 3, 6)
    assert same(whole, continued)
    assert (path.name, manifest.step, int(continued.optimizer.iterations)) == ("step-3", 3, 6)


@pytest.mark.parametrize("kind", ["SGD", "AdamW", "Lion", "Adafactor", "Muon", "Lamb", "Nadam"])
def test_any_optimizer_continues_to_the_bit(tmp_path, kind):
    first = trained(compiled(getattr(keras.optimizers, kind)(0.01)), 0, 2)
    path = checkpoints.save(tmp_path, first, 2)
    second = compiled(getattr(keras.optimizers, kind)(0.5))
    checkpoints.restore(path, second)
    assert same(trained(first, 2, 4), trained(second, 2, 4))


def test_a_model_on_replicas_is_restored_and_compiled_outside_of_their_scope(tmp_path):
    with strategy_scope("mirrored"):
        trained, restored, configured = compiled(), compiled(), Small()
    trained.fit(X, Y, batch_size=12, verbose=0)
    checkpoints.save(tmp_path, trained, 2)
    configured.compile_from_config(trained.get_compile_config())
    for model in (restored, configured):
        assert checkpoints.restore(tmp_path / "step-2", model).step == 2
        for one, other in zip(model.optimizer.variables, trained.optimizer.variables, strict=True):
            assert type(one.value) is type(other.value)
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))
        model.fit(X, Y, batch_size=12, verbose=0)


def test_the_manifest_tells_what_is_there(tmp_path):
    recipe, extra = {"model": {"type": "Small"}, "text": "größer"}, {"metrics": {"loss": 0.5}}
    path = checkpoints.save(tmp_path / "new", trained(compiled(), 0, 1), 1, recipe=recipe, extra=extra)
    manifest = checkpoints.verify(path)
    assert (manifest.path, manifest.step, manifest.recipe, manifest.extra) == (path, 1, recipe, extra)
    assert manifest.optimizer == "Adam"
    assert manifest.arrays["model.safetensors"]["hidden.0.kernel"] == {"shape": [3, 4], "dtype": "float32"}
    assert "velocities/out.bias" in manifest.arrays["optimizer.safetensors"]
    assert json.loads((path / "manifest.json").read_text(encoding="utf-8"))["format"] == 1
    assert sorted(one.name for one in path.iterdir()) == ["manifest.json", "model.safetensors", "optimizer.safetensors"]
    assert {"keras", "numpy", "backend"} <= set(manifest.versions)


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float64"])
def test_every_dtype_comes_back(tmp_path, dtype):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        model, other = Small(), Small()
    finally:
        keras.config.set_dtype_policy(before)
    checkpoints.restore(checkpoints.save(tmp_path, model, 0), other)
    for one, two in zip(model.weights, other.weights, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(two))


def test_any_flipped_bit_is_detected(tmp_path):
    path = checkpoints.save(tmp_path, trained(compiled(), 0, 1), 1, recipe={"a": [1, 2.5, None, "x"]})
    for file in path.iterdir():
        good = file.read_bytes()
        for position in DRAW.integers(0, len(good), 25):
            bad = bytearray(good)
            bad[position] ^= 1 << int(DRAW.integers(0, 8))
            file.write_bytes(bytes(bad))
            with pytest.raises(RunError, match="manifest.json|model.safetensors|optimizer.safetensors|format"):
                checkpoints.verify(path)
        file.write_bytes(good)
    assert checkpoints.verify(path).step == 1


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "optimizer.safetensors"])
def test_a_cut_or_missing_file_is_passed_over_with_the_reason(tmp_path, name, caplog):
    model = compiled()
    for step in (1, 2, 10):
        checkpoints.save(tmp_path, trained(model, step % 5, step % 5 + 1), step)
    file = tmp_path / "step-10" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (tmp_path / "step-2" / name).unlink()
    with caplog.at_level(logging.WARNING, logger="kt2t"):
        assert checkpoints.newest(tmp_path) == tmp_path / "step-1"
    told = [record.getMessage() for record in caplog.records if record.name == "kt2t"]  # TensorFlow speaks up too
    assert len(told) == 2 and "step-10" in told[0] and "step-2" in told[1]
    assert all(name in one for one in told)
    with pytest.raises(RunError, match=name):
        checkpoints.restore(tmp_path / "step-10", model)


def test_without_a_checkpoint_there_is_no_newest(tmp_path):
    assert checkpoints.newest(tmp_path / "none") is None


def test_a_later_format_is_refused(tmp_path):
    path = checkpoints.save(tmp_path, Small(), 0)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(RunError, match="format 2, written by kt2t .*; this kt2t reads format 1"):
        checkpoints.verify(path)


def test_another_model_is_refused_with_the_differences_and_left_as_it_was(tmp_path):
    path = checkpoints.save(tmp_path, trained(compiled(), 0, 1), 1)
    for options, told in [
        ({"depth": 2}, "hidden.1.kernel is missing"),
        ({"depth": 0, "width": 3}, "hidden.0.kernel is not in the model"),
        ({"width": 5}, r"hidden.0.kernel has shape \[3, 4\], the model's has \[3, 5\]"),
    ]:
        model = compiled(**options)
        before = [keras.ops.convert_to_numpy(one).copy() for one in model.weights]
        with pytest.raises(RunError, match=told):
            checkpoints.restore(path, model)
        for one, two in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), two)


def test_another_optimizer_is_refused(tmp_path):
    path = checkpoints.save(tmp_path, trained(compiled(), 0, 1), 1)
    with pytest.raises(RunError, match="trained with the optimizer Adam, this is Lion"):
        checkpoints.restore(path, compiled(keras.optimizers.Lion()))


def test_all_differences_are_told_at_once(tmp_path):
    path = checkpoints.save(tmp_path, trained(compiled(), 0, 1), 1)
    with pytest.raises(RunError, match="out.kernel has shape.*it was trained with the optimizer Adam, this is Lion"):
        checkpoints.restore(path, compiled(keras.optimizers.Lion(), width=5))
    path = checkpoints.save(tmp_path, trained(compiled(keras.optimizers.SGD(0.1)), 0, 1), 2)
    with pytest.raises(RunError, match=r"momentums/hidden\.0\.kernel is missing; .*momentums/out\.bias is missing\."):
        checkpoints.restore(path, compiled(keras.optimizers.SGD(0.1, momentum=0.9)))


def test_a_model_without_an_optimizer_takes_the_weights(tmp_path):
    model = trained(compiled(), 0, 2)
    bare = Small()
    checkpoints.restore(checkpoints.save(tmp_path, model, 2), bare)
    np.testing.assert_array_equal(bare.predict(X, verbose=0), model.predict(X, verbose=0))


def test_numbers_that_are_not_finite_are_not_saved(tmp_path):
    model = compiled()
    model.hidden[0].kernel.assign(np.full((3, 4), np.nan))
    with pytest.raises(NumericsError, match="hidden.0.kernel is not finite.* There is no checkpoint yet"):
        checkpoints.save(tmp_path, model, 1)
    assert list(tmp_path.iterdir()) == []
    model.hidden[0].kernel.assign(np.full((3, 4), 3e38))  # finite, though their sum is not
    checkpoints.save(tmp_path, model, 1)
    model.hidden[0].kernel.assign(np.full((3, 4), -np.inf))
    with pytest.raises(NumericsError, match="The last good checkpoint is '.*step-1'"):
        checkpoints.save(tmp_path, model, 2)


def test_the_last_and_the_best_are_kept(tmp_path):
    model = compiled()
    for step in range(1, 7):
        checkpoints.save(tmp_path, model, step)
    (tmp_path / f".step-9.tmp-{2**22 + 7}").mkdir()
    checkpoints.prune(tmp_path, keep_last=2, keep={3, 40})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-3", "step-5", "step-6"]


def test_the_mean_of_checkpoints(tmp_path):
    model, kernels = trained(compiled(), 0, 1), []
    for step in (1, 2, 3):
        kernels.append(keras.ops.convert_to_numpy(model.out.kernel).astype("float64"))
        checkpoints.save(tmp_path, model, step, recipe="r")
        trained(model, step, step + 1)
    paths = [tmp_path / f"step-{step}" for step in (1, 2, 3)]
    mean = checkpoints.average([checkpoints.verify(one) for one in paths], tmp_path / "mean", {"last": 5})
    other = compiled()
    manifest = checkpoints.restore(mean, other)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(other.out.kernel), sum(kernels) / 3, rtol=1e-6)
    assert (manifest.step, manifest.recipe, manifest.optimizer) == (3, "r", None)
    assert manifest.extra["last"] == 5 and [one["step"] for one in manifest.extra["averaged"]] == [1, 2, 3]
    assert checkpoints.is_mean_of(manifest, paths) and not checkpoints.is_mean_of(manifest, paths[:2])
    checkpoints.save(tmp_path, model, 2)
    assert not checkpoints.is_mean_of(manifest, paths), "other weights of the same step"
    assert not checkpoints.is_mean_of(manifest, [tmp_path / "none"])
    checkpoints.save(tmp_path, Small(width=5), 4)
    with pytest.raises(RunError, match="cannot be averaged: their weights differ"):
        checkpoints.average([checkpoints.verify(tmp_path / f"step-{step}") for step in (3, 4)], tmp_path / "mean")
    with pytest.raises(RunError, match="no checkpoints to average"):
        checkpoints.average([], tmp_path / "mean")


CHILD = """
import sys, resource, numpy as np
sys.path.insert(0, {tests!r})
from test_checkpoints import *
model = trained(compiled(width=512), 0, 1)
print("ready", flush=True)
{body}
"""


def child(body, environment=None):
    code = CHILD.format(tests=str(Path(__file__).parent), body=body)
    settings = {
        **(environment or os.environ),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.Popen([sys.executable, "-c", code], env=settings, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_kill_during_saving_leaves_a_good_checkpoint(tmp_path):
    """The same step is saved over and over, and now and then a new one, until the process is killed."""
    body = f"""
for count in range(10**6):
    checkpoints.save({str(tmp_path)!r}, model, count // 3)
    if count == 0: print("saved", flush=True)
"""
    process = child(body)
    process.stdout.readline(), process.stdout.readline()
    time.sleep(float(DRAW.uniform(0.2, 0.8)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    highest = max(int(path.name.split("-")[1].split(".")[0]) for path in tmp_path.iterdir())
    found = checkpoints.newest(tmp_path)
    assert int(found.name[5:]) >= highest - 1
    checkpoints.restore(found, compiled(width=512))
    checkpoints.prune(tmp_path, keep_last=1)
    assert [path.name for path in tmp_path.iterdir()] == [found.name]


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    """A limit on the size of files, which the system answers like a disk that is full."""
    body = f"""
checkpoints.save({str(tmp_path)!r}, model, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    checkpoints.save({str(tmp_path)!r}, model, 2)
except ResourceError as error:
    print(error)
"""
    output, _ = child(body).communicate(timeout=120)
    assert "step-2' cannot be written" in output
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]
    assert checkpoints.verify(tmp_path / "step-1").step == 1
    assert issubclass(ResourceError, OSError)


def test_the_other_backend_opens_it(tmp_path):
    """Saved on JAX and opened here, after training on both; the next step is the same to rounding."""
    body = f"""
trained(model, 1, 3)
checkpoints.save({str(tmp_path)!r}, model, 3)
randomness.layer_seed = lambda layer: None
model = compiled(width=512)
checkpoints.restore({str(tmp_path / "step-3")!r}, model)
np.savez({str(tmp_path / "state.npz")!r}, *[keras.ops.convert_to_numpy(one) for one in model.weights])
print(float(model.evaluate(X, Y, verbose=0)), int(model.optimizer.iterations))
"""
    output, _ = child(body, on_jax()).communicate(timeout=120)
    loss, iterations = output.splitlines()[-1].split()
    model = compiled(width=512)
    checkpoints.restore(tmp_path / "step-3", model)
    assert int(iterations) == 3 and int(model.optimizer.iterations) == 3
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(float(loss), rel=1e-5)
    back = checkpoints.save(tmp_path, trained(model, 3, 4), 4)
    body = f"checkpoints.restore({str(back)!r}, model); print(model.evaluate(X, Y, verbose=0))"
    output, _ = child(body, on_jax()).communicate(timeout=120)
    assert float(output.splitlines()[-1]) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
