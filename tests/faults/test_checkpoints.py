"""The rows K03 to K15 of the fault catalogue, each through the command: its status, what it says, and what stays as it was.

K01 and K02, kills at any time: `tests/campaigns/kills.py`, `tests/run/test_train.py`, `tests/training/test_checkpoints.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from campaigns import disk_full, fuzz_checkpoints
from safetensors.numpy import load_file

from kt2t.cli.main import run
from kt2t.run.folder import RunFolder
from kt2t.training import checkpoints, manifest

HERE = Path(__file__).parent
QUICK = ["report.score=false", "report.best=loss", "report.attention_maps=false", "report.samples=1"]
tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of the TensorFlow backend")
pytestmark = tensorflow_only


@pytest.fixture
def copied(tiny, tiny_run):
    """A command that goes on with a copy, `r`, of a run of 12 steps with checkpoints of steps 4, 8 and 12."""
    shutil.copytree(tiny_run, "r")
    shutil.rmtree("r/checkpoints/average", ignore_errors=True)
    return ["train", str(tiny), "--run-dir", "r", *QUICK]


def step(number):
    return Path(f"r/checkpoints/step-{number}")


def contents(*folders):
    return {file: file.read_bytes() for folder in folders for file in Path(folder).rglob("*") if file.is_file()}


def told(capsys):
    """The one sentence of the error."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("kt2t: ")]
    return line


def test_k03_whatever_is_damaged_in_the_newest_nothing_wrong_is_loaded():
    found = fuzz_checkpoints.fuzz(90, seed=3)
    assert sum(found.values()) == 90
    ways = {told.partition(": ")[2] for told in found}
    assert {"loaded, every bit as saved", "the one before was taken, and the file named"} <= ways


def test_k03_a_damaged_newest_gives_way_and_training_reaches_the_end(copied, capsys):
    file = step(12) / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)
    before = contents(step(4), step(8))
    assert run(copied) == 0
    said = capsys.readouterr().err
    assert "step-12: model.safetensors was changed" in said and "continuing from r/checkpoints/step-8" in said
    assert contents(step(4), step(8)) == before and checkpoints.verify(step(12)).step == 12


def test_k04_all_damaged_is_status_4_with_each_cause(copied, capsys):
    (step(4) / "manifest.json").write_text("{")
    (step(8) / "model.safetensors").write_bytes(b"")
    (step(12) / "optimizer.safetensors").unlink()
    before = contents("r/checkpoints")
    assert run(copied) == 4
    said = capsys.readouterr().err
    for cause in ("step-4: manifest.json cannot be read", "step-8: model.safetensors has 0 bytes instead of",
                  "step-12: optimizer.safetensors is missing"):  # fmt: skip
        assert cause in said
    assert "kt2t: no checkpoint in 'r/checkpoints' can be read. Train anew with --run-dir." in said
    assert contents("r/checkpoints") == before


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("run.json", "no run.json that names their recipe"),
        ("recipe.yaml", "recipe.yaml"),
    ],
)
def test_k05_a_file_of_the_run_lost_is_status_4(copied, capsys, lost, sentence):
    Path("r", lost).unlink()
    before = contents("r/checkpoints")
    assert run(copied) == 4
    assert sentence in told(capsys) and contents("r/checkpoints") == before


@pytest.mark.parametrize("lost", ["model.safetensors", "optimizer.safetensors", "manifest.json"])
def test_k05_a_file_of_the_checkpoint_lost_is_status_4_where_just_that_one_is_wanted(copied, capsys, lost):
    (step(12) / lost).unlink()
    before = contents("r/checkpoints")
    assert run(["evaluate", "r", "--checkpoint", "12"]) == 4
    assert f"step-12: {lost} " in told(capsys) and contents("r/checkpoints") == before


@pytest.mark.parametrize(
    ("row", "there", "here", "sentences"),
    [
        ("k06", "hidden_dim: 16", "hidden_dim: 8", ["has shape [7, 16], the model's has [7, 8]"]),
        ("k07 more", "num_layers: 1", "num_layers: 2", ["blocks.1.kernel is missing"]),
        ("k07 fewer", "num_layers: 1", "num_layers: 0", ["blocks.0.kernel is not in the model"]),
        ("k08", "type: Adam", "type: Lion", ["trained with the optimizer Adam, this is Lion"]),
    ],
)
def test_k06_to_k08_a_checkpoint_that_does_not_fit_is_status_4_with_the_differences(
    copied, capsys, row, there, here, sentences
):
    file = Path("r/recipe.yaml")
    text = file.read_text()
    assert there in text
    text = text.replace(there, here)
    file.write_text(text if row != "k08" else "\n".join(line for line in text.splitlines() if "epsilon" not in line))
    before = contents("r/checkpoints")
    status, line = run(["train", *copied[1:], "train.steps=13"]), None
    line = told(capsys)
    assert status == 4, line
    assert "step-12' does not fit this model" in line and "train.start_from" in line
    assert not [sentence for sentence in sentences if sentence not in line], line
    assert contents("r/checkpoints") == before


@pytest.fixture
def restored(monkeypatch):
    """What stands in the model and its optimizer as each training begins: the values on every replica, by file and name."""
    from kt2t.callbacks import Checkpointing
    from kt2t.ops.paths import attribute_paths
    from kt2t.training.slots import slots

    found, before = [], Checkpointing.on_train_begin

    def values(variable):
        copies = getattr(variable.value, "values", [variable.value])
        return [np.asarray(one) for one in copies]

    def seen(self, logs=None):
        weights = attribute_paths(self.model)
        files = {"model": weights, "optimizer": slots(self.model.optimizer, weights)}
        found.append({file: {name: values(one) for name, one in named.items()} for file, named in files.items()})
        before(self, logs)

    monkeypatch.setattr(Checkpointing, "on_train_begin", seen)
    return found


def test_k09_on_more_replicas_or_fewer_it_begins_with_what_was_saved_and_trains_on(copied, restored, capsys):
    shutil.copytree("r", "one")
    assert run([*copied, "train.steps=14", "--run-dir", "one"]) == 0
    for last, before, strategy, copies in ((12, "auto", "mirrored", 2), (14, "mirrored", "auto", 1)):
        capsys.readouterr()
        assert run([*copied, f"train.steps={last + 2}", f"train.strategy={strategy}"]) == 0
        assert f"trained with train.strategy {before} so far, now with {strategy}" in capsys.readouterr().err
        begun = restored.pop()
        for file, named in begun.items():
            saved = load_file(step(last) / f"{file}.safetensors")
            assert saved.keys() == named.keys()
            for name, values in named.items():
                assert len(values) == copies or name not in begun["model"], name
                for value in values:
                    np.testing.assert_array_equal(value, saved[name], err_msg=name)
    one, two = (load_file(f"{name}/checkpoints/step-14/model.safetensors") for name in ("one", "r"))
    assert one.keys() == two.keys()
    for name in one:  # dropout draws anew for each replica, so two steps are near and not the same
        np.testing.assert_allclose(one[name], two[name], atol=0.15, err_msg=name)


def test_k10_the_first_format_opens_for_ever():
    """`format_1` was written on 2026-11-22; weight i of a layer is i / 10, and Adam's moments are as a fresh one's."""
    model = fuzz_checkpoints.Small()
    model.compile(keras.optimizers.Adam(0.1), "mse")
    found = checkpoints.restore(HERE / "format_1" / "step-7", model)
    assert (found.step, found.recipe, found.extra) == (7, {"train": {"steps": 9}}, {"metrics": {"loss": 0.5}})
    for layer in (model.hidden, model.out):
        for weight in layer.weights:
            expected = np.arange(np.prod(weight.shape), dtype="float32").reshape(weight.shape) / 10
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), expected)
    assert int(model.optimizer.iterations) == 7


def test_k10_a_later_format_is_status_4_with_advice(copied, capsys):
    for number in (4, 8, 12):
        file = step(number) / "manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    before = contents("r/checkpoints")
    assert run(copied) == 4
    said = capsys.readouterr().err
    assert "is of format 2, written by kt2t" in said and "Use the kt2t that wrote it." in said
    assert contents("r/checkpoints") == before


def test_k11_a_checkpoint_of_another_run_is_status_4(tiny, copied, capsys):
    assert run(["train", str(tiny), "--run-dir", "other", "train.seed=2", "train.steps=13", *QUICK]) == 0
    shutil.copytree("other/checkpoints/step-13", step(13))
    before = contents("r/checkpoints")
    capsys.readouterr()
    assert run([*copied, "train.steps=14"]) == 4
    assert "step-13' is of another run. Different: train.seed: 2 there, 1 here" in told(capsys)
    assert contents("r/checkpoints") == before


def test_k12_a_read_only_disk_is_status_5_before_the_first_step(tiny, tmp_path, capsys):
    place = tmp_path / "disk"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", place], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        assert run(["train", str(tiny), "--run-dir", str(place / "r")]) == 5
    finally:
        subprocess.run(["umount", place], check=True)
    line = told(capsys)
    assert "cannot be written: Read-only file system. Make room or choose another folder." in line and "r'" in line


def test_k12_a_file_where_the_folder_should_be_is_status_5(tiny, capsys):
    Path("file").write_text("x")
    assert run(["train", str(tiny), "--run-dir", "file/below"]) == 5
    assert "cannot be written: Not a directory" in told(capsys) and Path("file").read_text() == "x"


def test_k13_a_disk_that_is_full_while_saving_is_status_5_and_the_last_good_one_stays(tmp_path):
    """Two sizes of many: too small for one checkpoint more, and enough to end. `tests/campaigns/disk_full.py` has the rest."""
    disk_full.started(tmp_path)
    try:
        assert disk_full.going_on(tmp_path, 20 * 4096) == "status 5, stopped, the last good one is whole"
    except PermissionError as error:
        pytest.skip(str(error))
    assert disk_full.going_on(tmp_path, 2**23) == "status 0, went on to step 8"


def test_k13_a_disk_that_refuses_the_third_file_is_status_5(copied, capsys, monkeypatch):
    """Where no disk can be mounted: the operating system's own refusal, when the new checkpoint is made safe."""
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if ".step-13.tmp" in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr("os.fsync", full)
    before = contents(step(12))
    assert run([*copied, "train.steps=13"]) == 5
    assert "step-13' cannot be written: No space left on device" in told(capsys)
    assert contents(step(12)) == before and sorted(os.listdir("r/checkpoints")) == sorted(
        ["best.json", "step-4", "step-8", "step-12"]
    )


def test_k14_the_second_run_in_a_folder_is_status_4_and_says_who_is_the_first(copied, capsys):
    before = contents("r/checkpoints")
    with RunFolder("r").locked():
        assert run(copied) == 4
    line = told(capsys)
    assert f"'r' is in use by process {os.getpid()} on " in line and "--run-dir" in line
    assert contents("r/checkpoints") == before


def test_k15_steps_are_in_order_and_not_the_clock(copied, capsys):
    for age, number in enumerate((12, 8, 4)):  # the newest step has the oldest time
        for path in (*step(number).iterdir(), step(number)):
            os.utime(path, (10**9 + age, 10**9 + age))
    assert checkpoints.newest("r/checkpoints") == step(12)
    assert run([*copied, "train.steps=13"]) == 0
    assert "continuing from r/checkpoints/step-12" in capsys.readouterr().err


def test_k15_the_same_step_twice_is_the_later_one(tmp_path):
    model = fuzz_checkpoints.Small()
    for value in (1.0, 2.0):
        model.out.bias.assign([value, value])
        path = checkpoints.save(tmp_path, model, 5)
    assert [one.name for one in tmp_path.iterdir()] == ["step-5"]
    assert load_file(path / "model.safetensors")["out.bias"].tolist() == [2.0, 2.0]
    assert manifest.read_manifest(path).step == 5
