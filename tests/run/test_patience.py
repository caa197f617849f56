"""A run that ends early: when, what is said, and how it goes on."""

import pytest

from kt2t.callbacks.checkpointing import write_best
from kt2t.recipe import Recipe
from kt2t.run.folder import RunFolder
from kt2t.run.patience import early_stopping, note_end, why


def _recipe(steps=100, **report):
    nodes = {"type": "Reverse"}, {"type": "Transformer"}, {"type": "Adam"}
    return Recipe(*nodes, {"steps": steps}, {"every": 10, "best": "bleu", **report})


@pytest.fixture
def folder(tmp_path):
    """A run whose best step is 10 and that was evaluated three times since."""
    run = RunFolder(tmp_path / "run")
    run.begin(_recipe(), _recipe())
    run.checkpoints.mkdir()
    write_best(run.checkpoints, {"step": 10, "metric": "bleu", "value": 5.0, "since": [20, 30, 40]})
    return run


def test_without_patience_nothing_ends_early(folder):
    assert early_stopping(folder, _recipe()) is None
    assert note_end(folder, _recipe(), 100, None) is None
    assert folder.manifest()["ended_early"] is None


def test_it_is_over_after_so_many_evaluations_and_says_why(folder):
    over = early_stopping(folder, _recipe(patience=3))
    assert over.is_over() and why(folder, _recipe(patience=3), over) == (
        "bleu has not improved since step 10, for 3 evaluations"
    )
    assert not early_stopping(folder, _recipe(patience=4)).is_over()


def test_the_same_command_is_over_again_and_a_larger_patience_goes_on(folder):
    recipe = _recipe(patience=3)
    assert note_end(folder, recipe, 40, early_stopping(folder, recipe))
    assert early_stopping(folder, recipe).is_over()
    assert not early_stopping(folder, _recipe(patience=4)).is_over()


def test_more_steps_count_anew_also_after_a_kill(folder):
    recipe = _recipe(patience=3)
    note_end(folder, recipe, 40, early_stopping(folder, recipe))
    more = _recipe(steps=200, patience=3)
    for _ in range(2):
        assert early_stopping(folder, more).waited() == []
    write_best(folder.checkpoints, {"step": 10, "metric": "bleu", "value": 5.0, "since": [20, 30, 40, 50, 60, 70]})
    again = early_stopping(folder, more)
    assert again.waited() == [50, 60, 70] and note_end(folder, more, 70, again)
    assert folder.manifest()["ended_early"] == {"step": 70, "steps": 200}
    assert early_stopping(folder, more).is_over()
