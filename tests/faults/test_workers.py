"""The rows W01 to W09 of the fault catalogue: two workers of one small run, hurt in one way after the other.

Each generation of the run goes on from the checkpoint that the one before has left, and the last one is a single process.
Its batches have 15 rows, so the workers never have the same number of them.
"""

from __future__ import annotations

import functools
import json
import re
import signal
import socket
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from nursery import MAIN

from kt2t.cli.main import run
from kt2t.recipe_file import load
from kt2t.run.assemble import problem_of
from kt2t.run.launch import _free_addresses
from kt2t.training.checkpoints import saved, verify

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="several workers are TensorFlow's"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]
RECIPE = """\
problem: {type: Reverse, symbols: 5, max_length: 4, evaluation_length: 6, train_examples: 600, validation_examples: 61}
model: {type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2, dropout: 0}
optimizer: {type: Adam, learning_rate: 0.003, global_clipnorm: 0.5}
train: {steps: 100_000, batch: {rows: 15}, dtype: float32}
report: {every: 4, keep: 1000, best: loss, score: false, attention_maps: false, samples: 1}
"""
HERE = ("--run-dir", "r")
DRIFTING = """
from kt2t.callbacks import Checkpointing
from kt2t.callbacks.pace import step_of

def drift(self, batch, logs=None):
    if step_of(self.model) == 6:
        weight = self.model.trainable_weights[0].value
        (mine,) = self.model.replicas.strategy.experimental_local_results(weight)
        mine.assign(mine * 1.001)

Checkpointing.on_train_batch_end = drift
"""
WAITING = """
import time
from kt2t.run import train

def waiting(*_, **__):
    print("here", flush=True)
    time.sleep(60)

train._restored = waiting
"""


class Pair:
    """Two workers, started together; `before` is code that one of them runs before the command."""

    def __init__(self, nursery, *overrides, before=("", ""), to_second=()):
        addresses = _free_addresses(2)
        self.workers = []
        for place, code in enumerate(before):
            config = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": place}})
            words = ["train", "tiny.yaml", "train.strategy=multi_worker", *overrides, *(to_second if place else ())]
            self.workers.append(nursery.start(*words, code=f"{code}\n{MAIN}", environment={"TF_CONFIG": config}))

    def status(self, place):
        return self.workers[place].poll()

    def until(self, there):
        while not there():
            assert [self.status(place) for place in range(2)] == [None, None], self.told()
            time.sleep(0.01)

    def send(self, number, *places):
        for place in places:
            self.workers[place].send_signal(number)
        self.sent = time.monotonic()

    def end(self, *places, patience=120):
        """The statuses, and the seconds since the last signal."""
        end = time.monotonic() + patience
        while None in [self.status(place) for place in places]:
            assert time.monotonic() < end, self.told()
            time.sleep(0.01)
        return [self.status(place) for place in places], time.monotonic() - getattr(self, "sent", 0.0)

    def told(self):
        return [worker.stdout() + worker.stderr() for worker in self.workers]

    def stop(self):
        for place in range(2):
            if self.status(place) is None:
                self.workers[place].send_signal(signal.SIGKILL)
                self.end(place)


@pytest.fixture(scope="module")
def story(tmp_path_factory, tiny_data, nursery):
    """What happened to the run `r`, by the name of what was done to it."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "tiny.yaml").write_text("# Two workers.\n" + RECIPE)
    found = {"folder": folder}
    pairs = []

    def steps():
        return [verify(path).step for path in saved(folder / "r" / "checkpoints")]

    def pair(*overrides, **given):
        pairs.append(Pair(nursery, *overrides, **given))
        return pairs[-1]

    def trained():
        """Two workers that have saved twice since they were started."""
        before = len(saved(folder / "r" / "checkpoints"))
        both = pair(*HERE)
        both.until(lambda: len(saved(folder / "r" / "checkpoints")) >= before + 2)
        return both

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KT2T_DATA", str(tiny_data))
        try:
            drifting = pair("train.micro_batches=2", *HERE, before=("", DRIFTING))
            found["drifted"] = {"ends": drifting.end(0, 1)[0], "said": drifting.told(), "steps": steps()}

            both = trained()
            both.send(signal.SIGKILL, 1)
            found["killed"] = {"ends": both.end(0), "said": both.told()[0]}

            both = trained()
            both.send(signal.SIGSTOP, 0)
            found["frozen"] = {"ends": both.end(1), "said": both.told()[1]}
            both.stop()

            both = trained()
            both.send(signal.SIGTERM, 1)
            found["asked"] = {"ends": both.end(0, 1), "said": both.told(), "steps": steps()}

            both = pair(*HERE, before=(WAITING, ""))
            both.until(lambda: "here" in both.told()[0])
            both.send(signal.SIGTERM, 1, 0)
            found["asked before"] = {"ends": both.end(0, 1), "said": both.told(), "steps": steps()}

            others = pair("--run-dir", "others", to_second=["train.seed=2"])
            found["others"] = {"ends": others.end(0, 1)[0], "said": others.told()}
        finally:
            for both in pairs:
                both.stop()
    return found


@pytest.fixture
def there(story, tiny_data, monkeypatch):
    """The folder of the story, as the working folder."""
    monkeypatch.chdir(story["folder"])
    monkeypatch.setenv("KT2T_DATA", str(tiny_data))


def sentence(said):
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("kt2t: ")]
    return line


def test_w01_the_other_of_a_killed_worker_is_status_7_within_ten_seconds(story):
    """That all of them come back as if nothing had happened is `tests/run/test_launch.py`."""
    (status,), seconds = story["killed"]["ends"]
    assert status == 7 and seconds < 10
    assert re.search("another worker .*is gone. Start all workers again: they", sentence(story["killed"]["said"]))


def test_w02_the_other_of_a_frozen_worker_is_status_7_within_ten_seconds(story):
    """Either one, in small processes: `tests/training/test_peers.py`."""
    (status,), seconds = story["frozen"]["ends"]
    assert status == 7 and seconds < 10
    told = "another worker .*(has given no sign of life for [67] seconds|is gone)[.] Start all workers again: they"
    assert re.search(told, sentence(story["frozen"]["said"]))  # by TensorFlow, where that was faster


def test_w03_one_worker_asked_to_stop_stops_both_at_the_same_saved_step(story):
    statuses, seconds = story["asked"]["ends"]
    assert statuses == [143, 143] and seconds < 30  # 1 s on a quiet machine: tests/campaigns/signals.py
    ended = [re.search(r"\(step (\d+)\)", said).group(1) for said in story["asked"]["said"]]
    assert ended[0] == ended[1] == str(story["asked"]["steps"][-1])
    for said in story["asked"]["said"]:
        assert "stopped and saved; the same command continues." in said


def test_w03_asked_before_the_first_step_both_end_with_nothing_lost(story):
    """One of them waits for the other in TensorFlow's code, which has taken SIGTERM for itself."""
    statuses, seconds = story["asked before"]["ends"]
    assert statuses == [143, 143] and seconds < 10
    assert [sentence(said) for said in story["asked before"]["said"]] == ["kt2t: interrupted."] * 2
    assert story["asked before"]["steps"] == story["asked"]["steps"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{", "TF_CONFIG: '{' cannot be meant"),
        ('{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}', "task.index 2 is not one"),
    ],
    ids=["malformed", "an index that is none"],
)
def test_w04_what_tells_of_no_workers_is_status_2(tiny, monkeypatch, capsys, config, told):
    monkeypatch.setenv("TF_CONFIG", config)
    assert run(["train", str(tiny), "train.strategy=multi_worker"]) == 2
    assert told in sentence(capsys.readouterr().err)


@pytest.mark.parametrize("busy", [True, False], ids=["its own address is in use", "the other one does not come"])
def test_w04_a_worker_that_cannot_be_reached_is_status_7_with_its_address(tiny, monkeypatch, capsys, busy):
    from kt2t.training.workers import team

    patient = functools.partial(team.multi_worker_strategy, patience=0.5)
    monkeypatch.setattr(team, "multi_worker_strategy", patient)
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        own = f"127.0.0.1:{taken.getsockname()[1]}" if busy else _free_addresses(1)[0]
        task = {"cluster": {"worker": [own, "127.0.0.1:1"]}, "task": {"type": "worker", "index": 0}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(task))
        began = time.monotonic()
        assert run(["train", str(tiny), "train.strategy=multi_worker"]) == 7
    assert time.monotonic() - began < 10
    told = f"address '{own}' cannot be used" if busy else "127.0.0.1:1 did not come within 0.5 seconds"
    assert told in sentence(capsys.readouterr().err)


def test_w05_workers_with_other_recipes_are_status_2_before_the_first_step(story):
    """Other data and versions are told apart in the same way: `tests/training/workers/test_team.py`."""
    assert story["others"]["ends"] == [2, 2]
    for said in story["others"]["said"]:
        assert "train.strategy: the workers do not have the same recipe. Start all of them" in sentence(said)
    assert not saved(story["folder"] / "others" / "checkpoints")


def test_w06_only_the_first_worker_writes(story):
    run_folder = story["folder"] / "r"
    log = (run_folder / "log.txt").read_text()
    assert log.count("continuing from") == 3  # once for each pair that went on from a checkpoint
    assert not list(run_folder.rglob("*worker*"))
    for path in saved(run_folder / "checkpoints"):
        assert verify(path).step == int(path.name[5:])


def test_w07_weights_that_drift_apart_are_status_7_and_not_saved(story):
    drifted = story["drifted"]
    assert drifted["ends"] == [7, 7] and drifted["steps"] == [4]
    for said in drifted["said"]:  # the slower one may say as well that the other is gone
        assert "kt2t: the replicas do not hold the same weights any more" in said and "Traceback" not in said


def test_w08_shares_that_are_not_the_same_size_are_filled_up(there, tiny_data):
    """The runs of the story have ended in no other way than they were made to; here is what each worker gets."""
    problem = problem_of(load("tiny.yaml"))
    problem.prepare(tiny_data)
    for rows in (15, 1):
        batches = problem.batches("train", rows=rows, seed=1)
        whole = batches.at(3).batch(3)
        shares = [batches.shared(2, worker).batch(3) for worker in range(2)]
        weights = [np.asarray(share[2]) for share in shares]
        assert len(whole[2]) == rows and [len(one) for one in weights] == [(rows + 1) // 2] * 2
        assert sum(one.sum() for one in weights) == np.asarray(whole[2]).sum()
        assert not weights[1][-1].any()


@pytest.fixture(scope="module")
def ended(story, tiny_data):
    """Up to a few steps after the last one of the two workers: the run itself, by one process; and one from the beginning."""
    steps = story["asked"]["steps"][-1] // 4 * 4 + 4
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(story["folder"])
        patch.setenv("KT2T_DATA", str(tiny_data))
        for name in ("r", "one"):
            assert run(["train", "tiny.yaml", f"train.steps={steps}", "--run-dir", name]) == 0
    return {
        name: {one.step: one.extra["metrics"] for one in map(verify, saved(Path(story["folder"], name, "checkpoints")))}
        for name in ("r", "one")
    }


def test_w09_clipping_and_micro_batches_on_two_workers_are_as_on_one(ended):
    """More of it, dropout too: `tests/training/test_law.py` and `test_workers.py` beside it."""
    for step in (4, 8):
        assert ended["r"][step] == pytest.approx(ended["one"][step], rel=1e-5)


def test_k09_one_process_goes_on_where_two_workers_have_stopped(ended):
    """Rounding grows with the steps."""
    last = max(ended["r"])
    assert last == max(ended["one"]) > 20
    assert ended["r"][last]["val_loss"] == pytest.approx(ended["one"][last]["val_loss"], rel=1e-3)
