import shutil

import numpy as np
import pytest

from kt2t.errors import RecipeError, RunError
from kt2t.recipe import Recipe
from kt2t.run.folder import RunFolder
from kt2t.run.restore import _override_search, best_step, known, override, restored
from kt2t.training import checkpoints


def test_each_checkpoint_can_be_asked_for(tiny_run):
    names = known(RunFolder(tiny_run))
    assert {"last", "best", "average", "12"} <= set(names)
    assert restored(tiny_run, "last").step == 12
    assert restored(tiny_run, "8").step == 8
    assert restored(tiny_run).step == best_step(RunFolder(tiny_run))


def test_average_is_the_mean_of_the_weights(tiny_run):
    steps = [int(name) for name in known(RunFolder(tiny_run)) if name.isdigit()]
    each = [restored(tiny_run, str(step)).assembly.model.get_weights() for step in steps]
    mean = restored(tiny_run, "average").assembly.model.get_weights()
    for place, weight in enumerate(mean):
        np.testing.assert_allclose(weight, np.mean([weights[place] for weights in each], axis=0), rtol=1e-6, atol=1e-7)


def test_what_is_not_there_is_told_with_what_is(tiny_run, tmp_path):
    with pytest.raises(RunError, match=r"no checkpoint '77'\. There are: last, average, best, "):
        restored(tiny_run, "77")
    with pytest.raises(RunError, match="holds no run"):
        restored(tmp_path)


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(tiny_run, tmp_path, caplog):
    shutil.copytree(tiny_run, tmp_path / "run")
    file = tmp_path / "run" / "checkpoints" / "step-12" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    assert restored(tmp_path / "run", "last").step == 8
    assert "step-12" in caplog.text


def test_a_run_of_several_workers_is_read_by_one(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    file = tmp_path / "run" / "recipe.yaml"
    file.write_text(file.read_text().replace("strategy: auto", "strategy: multi_worker"))
    assert RunFolder(tmp_path / "run").recipe().train.strategy == "multi_worker"
    assert restored(tmp_path / "run", "last").step == 12


def test_the_search_can_be_changed_and_nothing_else(tiny_run):
    found = restored(tiny_run, "last", ["report.decode.type=Beam", "report.decode.beams=3"])
    assert type(found.assembly.search).__name__ == "Beam" and found.assembly.search.beams == 3
    with pytest.raises(RecipeError, match="only report.decode"):
        restored(tiny_run, "last", ["model.num_layers=2"])


def test_where_the_data_lies_can_be_changed():
    recipe = Recipe({"type": "TextFiles", "path": "old", "train_files": None}, {}, {}, report={})
    override(recipe, ["problem.path=~", "problem.train_files=[a, b]", "report.decode.extra_length=3"])
    assert recipe.nodes["problem"] == {"type": "TextFiles", "path": None, "train_files": ["a", "b"]}
    assert recipe.nodes["report"]["decode"] == {"type": "Greedy", "extra_length": 3}
    for wrong, message in (
        ("problem.length=3", "problem.path and problem"),
        ("problem.valid_files=x", "TextFiles has no option 'valid_files'"),
        ("problem.vocabulary.path=x", "of a run's data, problem.path"),
    ):
        with pytest.raises(RecipeError, match=message):
            override(recipe, [wrong])


def test_an_option_of_beam_search_implies_it():
    recipe = Recipe({}, {}, {}, report={"decode": {"type": "Greedy", "extra_length": 7}})
    override(recipe, ["report.decode.n_best=6"])
    assert recipe.nodes["report"]["decode"] == {"type": "Beam", "extra_length": 7, "n_best": 6, "beams": 6}
    recipe = Recipe({}, {}, {}, report={})
    override(recipe, ["report.decode.n_best=2"])
    assert recipe.nodes["report"]["decode"] == {"type": "Beam", "n_best": 2, "beams": 4}
    recipe = Recipe({}, {}, {}, report={"decode": {"type": "Sample"}})
    with pytest.raises(RecipeError, match="Sample has no option 'n_best'.* report.decode.type=Beam"):
        override(recipe, ["report.decode.n_best=2"])


def _searched(*overrides):
    recipe = Recipe({}, {}, {}, report={"decode": {"type": "Beam", "beams": 4, "length_penalty": 0.6}})
    _override_search(recipe, overrides)
    return recipe.nodes["report"]["decode"]


def test_an_option_of_the_search_can_be_removed():
    assert _searched("report.decode.length_penalty=~") == {"type": "Beam", "beams": 4}
    assert _searched("report.decode=~") == {"type": "Greedy"}
    assert _searched("report.decode={type: Sample}") == {"type": "Sample"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["report.decode=Greedy"], "command line: report.decode: 'Greedy' should be a mapping with a 'type'"),
        (["report.decode=Greedy", "report.decode.beams=2"], "report.decode: 'Greedy' should be a mapping"),
        (["report.decode={beams: 3}"], "report.decode: the 'type' is missing"),
        (["report.decode.type=~"], "the 'type' is missing"),
        (["report.decode.beam=3"], "report.decode.beam: Beam has no option 'beam'. Did you mean 'beams'"),
        (["report.decode.beam=~"], "there is no 'report.decode.beam' to remove. Did you mean 'beams'"),
        (["report.decoder=3"], "only report.decode=… and report.decode.KEY=…, problem.path"),
    ],
)
def test_what_is_no_search_is_refused(overrides, message):
    with pytest.raises(RecipeError, match=message) as raised:
        _searched(*overrides)
    assert raised.value.status == 2


def test_a_model_that_only_answers_has_the_weights_and_no_optimizer(tiny_run):
    whole, bare = restored(tiny_run), restored(tiny_run, trains=False)
    assert bare.step == whole.step and not bare.assembly.model.compiled
    assert getattr(bare.assembly.model, "optimizer", None) is None
    for one, other in zip(whole.assembly.model.get_weights(), bare.assembly.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert type(bare.assembly.search) is type(whole.assembly.search)


def test_moving_averages_are_taken_wherever_a_run_is_opened(tiny_run, tmp_path, tiny_data):
    """They are in the optimizer's part of a checkpoint, so a model that only answers needs it too."""
    from kt2t.run.train import train

    folder = RunFolder(tiny_run)
    recipe = folder.recipe()
    recipe.nodes["optimizer"] = {**recipe.nodes["optimizer"], "use_ema": True, "ema_momentum": 0.5}
    recipe.nodes["train"] = {**recipe.nodes["train"], "steps": 4}
    run = train(recipe, tmp_path / "run", tiny_data).folder
    path = run / "checkpoints" / "step-4"
    assert checkpoints.has_averages(path) and not checkpoints.has_averages(folder.checkpoints / "step-4")
    averages = restored(run, "last").assembly.model.get_weights()
    answering = restored(run, "last", trains=False).assembly.model.get_weights()
    trained = list(checkpoints.weights_of(path)[1].values())
    for one, other in zip(averages, answering, strict=True):
        np.testing.assert_array_equal(one, other)
    assert sum(np.abs(one).sum() for one in averages) != pytest.approx(
        sum(np.abs(one).sum() for one in trained), rel=1e-6
    )
