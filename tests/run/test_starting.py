"""Where a new run takes its first weights from, and what is told of it."""

import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from kt2t.data.vocabularies.characters import Characters
from kt2t.errors import RecipeError, RunError
from kt2t.recipe_file import load
from kt2t.run.folder import RunFolder
from kt2t.run.restore import best_step
from kt2t.run.starting import start, start_checkpoint
from kt2t.run.train import train
from kt2t.training import checkpoints

QUICK = ("report.score=false", "report.best=loss", "report.attention_maps=false")


def _recipe(file, start, *more):
    return load(str(file), [f"train.start_from={start}", *QUICK, *more])


def _weights(run, step):
    return load_file(run / "checkpoints" / f"step-{step}" / "model.safetensors")


def test_of_a_run_it_is_the_best_or_the_last_and_of_a_checkpoint_itself(tiny, tiny_run, tmp_path):
    folder = tiny_run / "checkpoints"
    assert start_checkpoint(_recipe(tiny, tiny_run)) == folder / f"step-{best_step(RunFolder(tiny_run))}"
    assert start_checkpoint(_recipe(tiny, folder / "step-8")) == folder / "step-8"
    assert start_checkpoint(load(str(tiny))) is None
    shutil.copytree(tiny_run, tmp_path / "copy")
    (tmp_path / "copy" / "checkpoints" / "best.json").unlink()
    assert start_checkpoint(_recipe(tiny, "copy")).name == "step-12", "relative to the working folder, like other paths"


def test_a_bad_path_is_told_with_its_place(tiny, tmp_path):
    text = tiny.read_text().replace("train: {", "train: {start_from: nowhere, ")
    tiny.write_text(text)
    with pytest.raises(RecipeError, match=r"tiny\.yaml:7: train\.start_from: 'nowhere' does not exist"):
        start_checkpoint(load(str(tiny)))
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(
        RunError, match=r"tiny\.yaml:7: train\.start_from: 'nowhere' holds neither a run .* nor a checkpoint"
    ):
        start_checkpoint(load(str(tiny)))
    with pytest.raises(RunError, match="neither"):
        train(load(str(tiny)), tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_run_begins_with_the_weights_and_goes_on_without_them(tiny, tiny_run, tmp_path, caplog):
    shutil.copytree(tiny_run, tmp_path / "other")
    recipe = _recipe(tiny, "other/checkpoints/step-8", "train.steps=2", "model.num_layers=2", "report.every=2")
    with caplog.at_level("INFO", logger="kt2t"):
        assert train(recipe, tmp_path / "run").step == 2
    there, here = _weights(tiny_run, 8), _weights(tmp_path / "run", 0)
    assert set(there) < set(here)
    for name, value in there.items():
        np.testing.assert_array_equal(here[name], value)
    count = len(here) - len(there)
    assert f"{len(there)} of {len(here)} weights taken from 'other/checkpoints/step-8' (step 8)" in caplog.text
    assert f"{count} not there: blocks.1.kernel" in caplog.text
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.count("    not there: ") == count and log.count("    taken: ") == len(there)
    slots = load_file(tmp_path / "run" / "checkpoints" / "step-0" / "optimizer.safetensors")
    assert int(slots["iterations"]) == 0 and not any(value.any() for name, value in slots.items() if "/" in name)

    shutil.rmtree(tmp_path / "other")
    more = _recipe(tiny, "other/checkpoints/step-8", "train.steps=4", "model.num_layers=2", "report.every=2")
    caplog.clear()
    with caplog.at_level("INFO", logger="kt2t"):
        assert train(more, tmp_path / "run").step == 4
    assert "weights taken" not in caplog.text and "continuing from" in caplog.text


def test_killed_before_the_first_checkpoint_it_begins_the_same_way(tiny, tiny_run, tmp_path):
    recipe = _recipe(tiny, tiny_run, "train.steps=2", "report.every=2")
    train(recipe, tmp_path / "whole")
    train(recipe, tmp_path / "killed")
    for name in ("step-0", "step-2", "best.json"):
        path = tmp_path / "killed" / "checkpoints" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    RunFolder(tmp_path / "killed").update(step=0, evaluated=None)
    assert train(recipe, tmp_path / "killed").step == 2
    first, again = _weights(tmp_path / "whole", 2), _weights(tmp_path / "killed", 2)
    for name, value in first.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_nothing_that_fits_leaves_no_run(tiny, tiny_run, tmp_path):
    sizes = ("model.hidden_dim=10", "train.steps=1")
    with pytest.raises(
        RunError, match=r"command line: train\.start_from: no weight of .* fits this model: .*has shape"
    ):
        train(_recipe(tiny, tiny_run, *sizes), tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists() and not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("here", "warned"), [("ab", False), ("xy", True), ("abc", False)], ids=["same", "other words", "other size"]
)
def test_the_same_shapes_with_other_words_are_warned_of(tmp_path, caplog, here, warned):
    def net(size):
        model = keras.Sequential([keras.layers.Dense(size, name="head"), keras.layers.Dense(2)])
        model.build((None, 3))
        return model

    saved = checkpoints.save(tmp_path / "checkpoints", net(Characters("ab").size), 7)
    Characters("ab").save(tmp_path / "vocabularies" / "targets")
    vocabulary = Characters(here)
    problem = SimpleNamespace(vocabularies=lambda: {"inputs": vocabulary, "targets": vocabulary})
    start(SimpleNamespace(model=net(vocabulary.size), problem=problem, recipe=None), saved)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == warned
    if warned:
        assert (
            told[0].startswith("the vocabulary of 'targets' is not the one in ") and "both have 260 entries" in told[0]
        )
