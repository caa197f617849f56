"""When a loss is an explosion, worked by hand; what each policy does; and that going back and being killed are exact."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kt2t.callbacks import Checkpointing, Explosions
from kt2t.cli.main import run
from kt2t.errors import NumericsError
from kt2t.ops.paths import attribute_paths
from kt2t.recipe_file import load
from kt2t.run.assemble import assemble, problem_of
from kt2t.training import checkpoints


class Count(int):
    """A count of steps like an optimizer's variable."""

    def __init__(self, value=0):
        self.value = value

    def __iadd__(self, more):
        return Count(int(self) + more)

    def assign(self, value):
        assert value == int(self)


class Told:
    """A model of which only the step and the weight it has seen are known; it gives the logs that Keras would."""

    def __init__(self, callback, start=0):
        self.model = SimpleNamespace(optimizer=SimpleNamespace(iterations=start), tokens_seen=100.0 * start)
        self.callback = callback
        callback.set_model(self.model)
        callback.on_train_begin()

    def epoch(self, losses, weights=None):
        self.callback.on_epoch_begin(0)
        weights = [10.0] * len(losses) if weights is None else weights
        logs = {}
        for batch in range(len(losses)):
            self.model.optimizer.iterations += 1
            self.model.tokens_seen += weights[batch]
            logs = {"loss": np.average(losses[: batch + 1], weights=weights[: batch + 1])}
            self.callback.on_train_batch_end(batch, logs)
        self.callback.on_epoch_end(0, logs)


def test_the_loss_of_each_look_is_that_of_the_steps_since_the_last_one():
    """Looks after 16, 32 and 40 steps of an epoch; means over the weight, not over the steps."""
    callback = Explosions(looks=99)
    weights = [1.0, 3.0] * 20
    Told(callback).epoch([4.0, 8.0] * 8 + [2.0, 6.0] * 8 + [1.0, 5.0] * 4, weights)
    # (4·1 + 8·3)/4 = 7, then 5, then 4; the first looks are averaged evenly: 7, 6, 16/3.
    assert callback.state["looks"] == 3 and callback.state["first"] == pytest.approx(7.0)
    assert callback.state["mean"] == pytest.approx(16 / 3)


def test_a_run_that_stopped_between_two_looks_goes_on_as_if_it_had_not():
    """The look at 32 is of the steps from 17 on, though the run was stopped at 20 and its loss began anew there."""
    losses, weights = [float(step % 7 + 1) for step in range(32)], [1.0, 3.0] * 16
    whole, cut = Explosions(looks=99), Explosions(looks=99)
    Told(whole).epoch(losses, weights)
    told = Told(cut)
    told.model.stop_signal = 15
    told.epoch(losses[:20], weights[:20])
    kept = json.loads(json.dumps(cut.state))
    assert kept["seen_at"] == 16 and kept["weight"] == 8.0
    again = Explosions(looks=99, state=kept)
    Told(again, start=20).epoch(losses[20:], weights[20:])
    assert again.state == pytest.approx(whole.state) and again.state["looks"] == 2
    assert again.state["seen_at"] == 32 and again.state["weight"] == 0.0


def test_the_look_after_an_epochs_last_step_is_before_its_evaluation(tmp_path, monkeypatch):
    callback = Explosions("stop", tmp_path, looks=1)
    callback.set_params({"steps": 20})
    told = Told(callback)
    told.epoch([5.0] * 20)
    monkeypatch.setattr(callback, "on_epoch_end", lambda *_: pytest.fail("this comes after the evaluation"))
    with pytest.raises(NumericsError, match="loss up to step 40 is 50"):
        told.epoch([5.0] * 12 + [50.0] * 8)


def test_the_mean_decays_after_the_first_looks():
    callback = Explosions(looks=2, decay=0.5)
    told = Told(callback)
    for loss in (4.0, 2.0, 1.0):
        told.epoch([loss] * 16)
    assert callback.state["mean"] == pytest.approx(((4 + 2) / 2 + 1) / 2)


def test_an_explosion_is_told_once_until_the_loss_was_back(caplog):
    callback = Explosions(looks=2)
    told = Told(callback)
    with caplog.at_level(logging.WARNING, logger="kt2t"):
        for loss in (5.0, 5.0, 15.0, 16.0, 5.0, 5.0, 100.0):
            told.epoch([loss] * 16)
    # 15 is three times the mean and not more. After it (5+5+15)/3 is, so 16 is not; then (5+5+15+16+5+5)/6 = 8.5.
    assert [record.getMessage() for record in caplog.records] == [
        "the loss up to step 112 is 100, 11.8 times its running mean 8.5. "
        "Lower the learning rate, lengthen its warm-up or clip the gradients."
    ]


def test_while_the_loss_stays_up_the_mean_waits(caplog):
    callback = Explosions(looks=2)
    told = Told(callback)
    with caplog.at_level(logging.WARNING, logger="kt2t"):
        for loss in (5.0, 5.0, 16.0, 20.0, 5.0, 50.0):
            told.epoch([loss] * 16)
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "the loss up to step 48 is 16", "the loss up to step 96 is 50"
    ]  # fmt: skip
    assert callback.state["mean"] == 5.0 and callback.state["looks"] == 3 and callback.state["above"] is True


def test_a_loss_near_zero_may_jump(caplog):
    """0.05 is fifty times the mean, and a hundredth of the first loss."""
    told = Told(Explosions(looks=2))
    for loss in (5.0, *[0.001] * 200, 0.05):
        told.epoch([loss] * 16)
    assert not caplog.records
    told.epoch([1.6] * 16)
    assert "times its running mean" in caplog.text


def test_steps_without_a_finite_loss_are_left_to_others(caplog):
    callback = Explosions("stop", looks=1)
    told = Told(callback)
    told.epoch([5.0] * 16)
    told.epoch([float("nan")] * 16)
    told.epoch([5.0] * 16)
    assert callback.state["looks"] == 2 and not caplog.records


def test_stop_is_an_error_that_names_the_step(tmp_path):
    told = Told(Explosions("stop", tmp_path, looks=1))
    told.epoch([5.0] * 16)
    with pytest.raises(NumericsError, match=r"loss up to step 32 is 50, 10 times .* There is no checkpoint yet\."):
        told.epoch([50.0] * 16)


def test_without_a_checkpoint_there_is_no_way_back(tmp_path):
    told = Told(Explosions("stop", tmp_path, looks=1))
    told.epoch([5.0] * 16)
    with pytest.raises(NumericsError, match="There is no checkpoint yet"):
        told.epoch([50.0] * 16)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="policy: 'halt' is none of warn, stop, rollback"):
        Explosions("halt")
    with pytest.raises(ValueError, match="checkpoints: rollback needs"):
        Explosions("rollback")
    with pytest.raises(ValueError, match="ratio: 1 is not above 1"):
        Explosions(ratio=1)


EXPLOSIVE = '''
import keras
import kt2t
from keras import ops
from toy_model import Toy

@kt2t.register
class MarkedWords(kt2t.data.TextToText):
    """Short words; those of the training that are marked are a letter that no other has."""

    def __init__(self, marked: list[int]) -> None:
        super().__init__()
        self.marked = marked

    def examples(self, split):
        for number in range(2048 if split == "train" else 8):
            word = "z" if split == "train" and number in self.marked else "abc"[: 1 + number % 3]
            yield {"inputs": word, "targets": word}

@kt2t.register
class Explosive(Toy):
    """Whatever it has learned, it is very sure of the opposite where that letter is read."""

    def call(self, features, training=None):
        marked = ops.any(features["inputs"] == int(kt2t.Bytes().encode("z")[0]), axis=1)
        factor = ops.where(marked, -1000.0, 1.0)
        return super().call(features, training=training) * factor[:, None, None]
'''

RECIPE = """\
problem: {type: explosive_words.MarkedWords, marked: []}
model: {type: explosive_words.Explosive, num_layers: 1, hidden_dim: 8, dropout: 0.1}
optimizer: {type: Adam, learning_rate: 0.01, global_clipnorm: 1.0}
train: {steps: 144, batch: {rows: 8}, dtype: float32, deterministic: true}
report: {every: 24, score: false, attention_maps: false, samples: 1, keep: 99, best: loss}
"""


@pytest.fixture
def explosive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KT2T_DATA", str(tmp_path / "data"))
    (tmp_path / "explosive_words.py").write_text(EXPLOSIVE, encoding="utf-8")
    (tmp_path / "explosive.yaml").write_text(RECIPE, encoding="utf-8")
    return str(tmp_path / "explosive.yaml")


def recipe_and_plan(explosive):
    recipe = load(explosive)
    recipe.check()
    problem = problem_of(recipe)
    problem.prepare()
    return problem.batches("train", rows=8, seed=recipe.train.seed)


def marked(explosive, steps):
    """Every record of the batches of these steps that is as long as the letter, so that marking it moves no batch."""
    batches = recipe_and_plan(explosive)
    found = [[int(i) for i in batches.plan.batch(step).indices if i >= 0 and i % 3 == 0] for step in steps]
    return "problem.marked=" + json.dumps([number for numbers in found for number in numbers[:1]])


def bad_step(explosive):
    """A step after 97 whose batch has a record of one letter, in the middle between two looks."""
    batches = recipe_and_plan(explosive)
    return next(step for step in range(100, 112) if (batches.plan.batch(step).indices % 3 == 0).any())


def test_warn_says_so_and_trains_on(explosive, capsys):
    assert run(["train", explosive, "--run-dir", "run", marked(explosive, [bad_step(explosive)])]) == 0
    assert "the loss up to step 112 is" in capsys.readouterr().err


def test_stop_is_exit_6_with_the_last_good_checkpoint(explosive, capsys):
    given = ["--run-dir", "run", marked(explosive, [bad_step(explosive)]), "train.on_explosion=stop"]
    assert run(["train", explosive, *given]) == 6
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kt2t:")]
    assert "the loss up to step 112 is" in line and "The last good checkpoint is 'run/checkpoints/step-96'." in line
    assert {path.name for path in Path("run/checkpoints").glob("step-*")} == {f"step-{n}" for n in (24, 48, 72, 96)}


class Killed(BaseException):
    """Ends a run as `kill -9` does: nobody saves."""


def weights_at(folder, step):
    manifest, weights = checkpoints.weights_of(Path(folder) / "checkpoints" / f"step-{step}")
    assert manifest.step == step
    return weights


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def by_hand(command, last):
    """Weights of step 96, then the steps from 112 on, in a plain `fit` that knows nothing of explosions."""
    recipe = load(command[1], command[2:])
    recipe.check()
    problem = problem_of(recipe)
    problem.prepare()
    model = assemble(recipe, problem).model
    checkpoints.restore("whole/checkpoints/step-96", model)
    assert int(model.optimizer.iterations) == 96
    model.optimizer.iterations.assign(112)
    batches = problem.batches("train", rows=8, seed=recipe.train.seed)
    model.fit(batches.at(112), steps_per_epoch=last - 112, initial_epoch=0, epochs=1, verbose=0)
    return {name: np.asarray(one) for name, one in attribute_paths(model).items()}


def test_rollback_takes_the_weights_back_while_steps_and_data_go_on(explosive, capsys):
    command = ["train", explosive, marked(explosive, [bad_step(explosive)]), "train.on_explosion=rollback"]
    assert run([*command, "--run-dir", "whole"]) == 0
    said = capsys.readouterr().err
    assert said.count("the loss up to step 112 is") == 1
    assert "Back to the weights of 'whole/checkpoints/step-96'; the steps and the data go on." in said
    assert_same(weights_at("whole", 144), by_hand(command, 144))


def test_a_run_that_is_killed_around_a_rollback_comes_to_the_same(explosive, monkeypatch):
    command = ["train", explosive, marked(explosive, [bad_step(explosive)]), "train.on_explosion=rollback"]
    assert run([*command, "--run-dir", "whole"]) == 0
    before = Checkpointing.on_train_batch_end
    for at in (112, 115, 121):

        def killed(self, batch, logs=None, at=at):
            if int(self.model.optimizer.iterations) == at:
                raise Killed
            before(self, batch, logs)

        with monkeypatch.context() as patch:
            patch.setattr(Checkpointing, "on_train_batch_end", killed)
            with pytest.raises(Killed):
                run([*command, "--run-dir", f"killed-{at}"])
        assert run([*command, "--run-dir", f"killed-{at}"]) == 0
        assert_same(weights_at("whole", 144), weights_at(f"killed-{at}", 144))


def test_the_third_return_to_one_checkpoint_ends_training(tmp_path, monkeypatch, caplog):
    from kt2t.callbacks import explosions

    back = []
    monkeypatch.setattr(explosions, "newest", lambda folder: tmp_path / "step-7")
    monkeypatch.setattr(explosions, "restore", lambda path, model: back.append(path.name))
    told = Told(Explosions("rollback", tmp_path, looks=1))
    told.model.optimizer = SimpleNamespace(iterations=Count())
    told.epoch([5.0] * 16)
    for _ in range(2):
        told.epoch([50.0] * 16)
        told.epoch([5.0] * 16)
    with pytest.raises(NumericsError, match=r"loss up to step 96 is 50.*checkpoint"):
        told.epoch([50.0] * 16)
    assert back == ["step-7", "step-7"]
    monkeypatch.setattr(explosions, "newest", lambda folder: tmp_path / "step-8")
    told.callback.state = {**told.callback.state, "looks": 5}
    told.epoch([50.0] * 16)
    assert back[-1] == "step-8" and told.callback.state["returns"] == 1


def test_without_a_checkpoint_a_rollback_is_a_stop(tmp_path):
    told = Told(Explosions("rollback", tmp_path, looks=1))
    told.epoch([5.0] * 16)
    with pytest.raises(NumericsError, match="There is no checkpoint yet"):
        told.epoch([50.0] * 16)
