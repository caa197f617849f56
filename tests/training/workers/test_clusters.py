"""What tells of the other workers."""

from __future__ import annotations

import json

import keras
import pytest

from kt2t.errors import RecipeError
from kt2t.training.workers.clusters import resolver

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="several workers are TensorFlow's")
TWO = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NODELIST", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{", "cannot be meant"),
        ("[]", "cannot be meant"),
        (json.dumps({"task": TWO["task"]}), "cannot be meant .KeyError: 'cluster'"),
        (json.dumps({**TWO, "task": {"type": "worker"}}), "KeyError: 'index'"),
        (json.dumps({**TWO, "task": {"type": "worker", "index": "one"}}), "ValueError"),
        (json.dumps({**TWO, "task": {"type": "evaluator", "index": 0}}), "KeyError: 'evaluator'"),
        (json.dumps({**TWO, "task": {"type": "worker", "index": 2}}), "task.index 2 is not one of the 2 of 'worker'"),
        (json.dumps({**TWO, "task": {"type": "worker", "index": -1}}), "task.index -1"),
        (json.dumps({**TWO, "cluster": {"worker": ["a", "b:2"]}}), "'a' is no address"),
        (json.dumps({**TWO, "cluster": {"worker": ["a:x", "b:2"]}}), "'a:x' is no address"),
        (json.dumps({**TWO, "cluster": {"worker": ["a:1", "a:1"]}}), "two workers have the same address"),
    ],
)
def test_what_tf_config_cannot_mean_is_told(monkeypatch, config, told):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(RecipeError, match=told):
        resolver(0)


def test_without_any_sign_of_others_the_way_out_is_named():
    with pytest.raises(RecipeError, match="kt2t launch --workers N"):
        resolver(0)


def test_tf_config_is_read_first(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n[1-2]")
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    told = resolver(0)
    assert told.cluster_spec().as_dict() == {"worker": ["a:1", "b:2"]}
    assert (told.task_type, told.task_id) == ("worker", 0)


@pytest.mark.parametrize(
    ("sign", "module", "function"),
    [
        ("SLURM_STEP_NODELIST", "slurm", "tasks_of_step"),
        ("KUBERNETES_SERVICE_HOST", "pods", "addresses_of_pods"),
    ],
)
def test_what_is_found_elsewhere_becomes_a_resolver_that_knows_its_place(monkeypatch, sign, module, function):
    monkeypatch.setenv(sign, "given")
    monkeypatch.setattr(f"kt2t.training.workers.{module}.{function}", lambda *patience: (["a:1", "b:2"], 1))
    told = resolver(0)
    assert told.cluster_spec().as_dict() == {"worker": ["a:1", "b:2"]}
    assert (told.task_type, told.task_id) == ("worker", 1)
    assert told.num_accelerators() == {"GPU": 0} and told.rpc_layer == "grpc"
