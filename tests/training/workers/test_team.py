"""The workers of a run: how they agree, and one whole script on two of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kt2t.errors import PeerError
from kt2t.run.launch import _free_addresses
from kt2t.training.workers.team import Team, losing_peers, multi_worker_strategy

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="several workers are TensorFlow's")
TWO = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}


def test_who_does_not_come_is_named(monkeypatch):
    addresses = _free_addresses(2)
    monkeypatch.setenv("TF_CONFIG", json.dumps({**TWO, "cluster": {"worker": addresses}}))
    with pytest.raises(PeerError, match=f"{addresses[1]} did not come within 0.2"):
        multi_worker_strategy(patience=0.2)


def test_a_team_of_one_agrees_with_itself():
    team = Team("none")
    team.agree({"recipe": {"a": 1}})
    assert team.first and team.count == 1 and team.broadcast(True) and not team.broadcast(False)
    assert team.in_turn(lambda: 3) == 3
    with team.together():
        pass


@pytest.mark.parametrize(
    ("error", "message", "wanted"),
    [
        ("UnavailableError", "Collective ops is aborted by: Socket closed", PeerError),
        ("DeadlineExceededError", "RPC: /tensorflow.CoordinationService/Heartbeat", PeerError),
        ("InternalError", "failed to connect to all addresses", PeerError),
        ("InternalError", "in losing_peers of peers.py: out of range", None),
        ("ResourceExhaustedError", "OOM when allocating tensor", None),
    ],
)
def test_errors_about_others_are_told_apart(error, message, wanted):
    import tensorflow as tf

    made = getattr(tf.errors, error)(None, None, message)
    with pytest.raises(wanted or type(made)), losing_peers():
        raise made


SCRIPT = """
import json, sys
import keras, numpy as np
sys.path.insert(0, sys.argv[2])
from kt2t.training.strategies import strategy_scope
from kt2t.training.workers.team import Team
many = sys.argv[1] == "two"
team = Team("multi_worker" if many else "none")
import test_law as law
found = {"workers": team.count}
kinds = {
    "whole": (lambda: keras.optimizers.Adam(0.01), 1),
    "in parts": (lambda: keras.optimizers.SGD(0.5, global_clipnorm=0.1), 2),
}
for name, (optimizer, micro_batches) in kinds.items():
    keras.utils.set_random_seed(7)
    with strategy_scope("multi_worker" if many else "none"):
        model = law.Small()
        model.compile(
            optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True), micro_batches=micro_batches,
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
    data = law.batches(5)
    steps = law.Steps()
    history = model.fit(law.dataset(data), verbose=0, callbacks=[steps], epochs=2, validation_data=law.dataset(data[:3]))
    found[name] = {
        "steps": steps.logs,
        "history": history.history,
        "evaluation": model.evaluate(law.dataset(data[:4]), verbose=0, return_dict=True),
        "predicted": np.asarray(model.predict(data[0][0], verbose=0)).tolist(),
        "weights": np.concatenate([np.ravel(one) for one in model.get_weights()]).tolist(),
    }
if many:
    found["broadcast"] = [team.broadcast(team.first), team.broadcast(not team.first)]
    team.agree({"data": {"same": [1, 2]}, "versions": 3})
    try:
        team.agree({"recipe": {"steps": 10}, "data": {"worker": team.first}})
    except ValueError as error:
        found["refused"] = str(error)
print("FOUND " + json.dumps(found), flush=True)
"""


def _close(found, wanted, path=""):
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), path
        for name in wanted:
            _close(found[name], wanted[name], f"{path}/{name}")
    elif wanted and isinstance(wanted, list) and isinstance(wanted[0], dict):
        for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
            _close(one, other, f"{path}/{place}")
    else:
        np.testing.assert_allclose(found, wanted, rtol=5e-5, atol=1e-5, err_msg=path)


def test_a_plain_script_on_two_workers_is_that_on_one():
    def start(*words, **environment):
        command = [sys.executable, "-c", SCRIPT, *words, str(Path(__file__).parents[1])]
        told = {**os.environ, **environment}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=told)

    addresses = _free_addresses(2)
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": place}} for place in range(2)]
    running = [start("two", TF_CONFIG=json.dumps(task)) for task in tasks] + [start("one")]
    outputs = [process.communicate(timeout=600) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], [said[-2000:] for _, said in outputs]
    first, second, alone = (json.loads(out.rpartition("FOUND ")[2]) for out, _ in outputs)
    for worker in (first, second):
        assert worker.pop("workers") == 2 and worker.pop("broadcast") == [True, False]
        refused = worker.pop("refused")
        assert "the same data." in refused and "recipe," not in refused.split("Start")[0]
    assert alone.pop("workers") == 1
    _close(first, alone)
    _close(second, alone)
