"""The mean of a run's last checkpoints: of which, kept where, and made anew when they are others."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from kt2t.disk import whole_folder
from kt2t.errors import ResourceError, RunError
from kt2t.run.average import average_checkpoints, steps_in_words
from kt2t.run.folder import RunFolder
from kt2t.run.restore import restored
from kt2t.training import checkpoints


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of a run with the steps 4, 8 and 12."""
    shutil.copytree(tiny_run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "average", ignore_errors=True)
    return RunFolder(tmp_path / "run")


def _weights(path):
    return load_file(path / "model.safetensors")


def _mean(run, *steps):
    each = [_weights(run.checkpoints / f"step-{step}") for step in steps]
    return {name: np.mean([one[name].astype("float64") for one in each], axis=0) for name in each[0]}


def _assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-7, err_msg=name)


def test_it_is_the_mean_of_the_last_and_is_not_made_twice(run):
    first = average_checkpoints(run, 2)
    assert (first.steps, first.made, first.checkpoint) == ([8, 12], True, run.checkpoints / "average")
    _assert_close(_weights(first.checkpoint), _mean(run, 8, 12))
    written = (first.checkpoint / "model.safetensors").stat().st_mtime_ns
    again = average_checkpoints(run, 2)
    assert (again.steps, again.made) == ([8, 12], False)
    assert (first.checkpoint / "model.safetensors").stat().st_mtime_ns == written


def test_by_default_it_is_of_the_recipes_number_or_all_that_are_kept(run):
    assert run.recipe().train.average == 5
    assert average_checkpoints(run).steps == [4, 8, 12]
    _assert_close(_weights(run.checkpoints / "average"), _mean(run, 4, 8, 12))


def test_evaluate_and_predict_use_the_one_that_was_made(run):
    average_checkpoints(run, 2)
    found = restored(run.path, "average")
    assert found.step == 12
    model = found.assembly.model
    expected = _mean(run, 8, 12)["targets_embedding.table"]
    np.testing.assert_allclose(np.asarray(model.targets_embedding.table.numpy()), expected, rtol=1e-6, atol=1e-7)


def test_a_newer_checkpoint_makes_it_anew_and_says_so(run, caplog):
    average_checkpoints(run, 2)
    shutil.move(run.checkpoints / "step-12", run.path / "aside")
    average_checkpoints(run, 2)
    shutil.move(run.path / "aside", run.checkpoints / "step-12")
    with caplog.at_level("INFO", logger="kt2t"):
        assert average_checkpoints(run).steps == [8, 12], "as many as last time"
    assert "was the mean of steps 4 and 8; averaging again" in caplog.text


def test_the_same_step_with_other_weights_makes_it_anew(run):
    average_checkpoints(run, 2)
    model = restored(run.path, "8").assembly.model
    checkpoints.save(run.checkpoints, model, 12)
    assert average_checkpoints(run, 2).made
    _assert_close(_weights(run.checkpoints / "average"), _weights(run.checkpoints / "step-8"))


def test_a_damaged_checkpoint_is_passed_over_and_a_damaged_mean_is_made_anew(run, caplog):
    file = run.checkpoints / "step-8" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert average_checkpoints(run, 2).steps == [4, 12] and "step-8" in caplog.text
    shutil.rmtree(run.checkpoints / "step-8")
    mean = run.checkpoints / "average" / "model.safetensors"
    mean.write_bytes(mean.read_bytes()[:-1])
    again = average_checkpoints(run, 2)
    assert again.made and "Averaging again" in caplog.text
    _assert_close(_weights(again.checkpoint), _mean(run, 4, 12))


def test_in_a_run_that_cannot_be_written_it_is_made_elsewhere_to_be_read(run, monkeypatch, caplog):
    def read_only(path, fill):
        if path.is_relative_to(run.path):
            raise ResourceError(f"{str(path)!r} cannot be written: Read-only file system.")
        return whole_folder(path, fill)

    monkeypatch.setattr(checkpoints, "whole_folder", read_only)
    found = restored(run.path, "average")
    assert found.step == 12 and not (run.checkpoints / "average").exists()
    expected = _mean(run, 4, 8, 12)["targets_embedding.table"]
    model = found.assembly.model
    np.testing.assert_allclose(np.asarray(model.targets_embedding.table.numpy()), expected, rtol=1e-6, atol=1e-7)
    assert "not kept with the run" in caplog.text and "Read-only" in caplog.text
    with pytest.raises(ResourceError, match="Read-only"):
        average_checkpoints(run)


def test_weights_before_the_first_step_do_not_count(run):
    checkpoints.save(run.checkpoints, restored(run.path, "4").assembly.model, 0)
    assert average_checkpoints(run, 5).steps == [4, 8, 12] and not average_checkpoints(run, 5).made


def test_without_checkpoints_there_is_no_mean(run, tmp_path):
    shutil.rmtree(run.checkpoints)
    with pytest.raises(RunError, match="no checkpoints to average"):
        average_checkpoints(run)
    with pytest.raises(RunError, match="holds no run"):
        average_checkpoints(RunFolder(tmp_path / "none"))


def test_steps_in_words():
    words = [steps_in_words(steps) for steps in ([8], [8, 12], [4, 8, 1200])]
    assert words == ["step 8", "steps 8 and 12", "steps 4, 8 and 1,200"]
