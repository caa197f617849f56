"""Kubernetes's answers, made up."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import keras
import pytest

from kt2t.errors import PeerError, RecipeError, ResourceError
from kt2t.training.workers import pods
from kt2t.training.workers.pods import addresses_of_pods

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="several workers are TensorFlow's")
INDEX = "batch.kubernetes.io/job-completion-index"


def pod(name, ip, phase="Running", index=None, created="1"):
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=name, annotations=None if index is None else {INDEX: str(index)}, creation_timestamp=created
        ),
        status=SimpleNamespace(phase=phase, pod_ip=ip, host_ip="10.9.9.9"),  # all on one node
    )


class Client:
    """Answers each time with the next list of pods, then with the last one again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def list_namespaced_pod(self, namespace, label_selector):
        self.asked.append((namespace, label_selector))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(items=answer)


@pytest.fixture(autouse=True)
def within(monkeypatch, tmp_path):
    (tmp_path / "namespace").write_text("field\n")
    monkeypatch.setattr(pods, "_NAMESPACE", tmp_path / "namespace")
    monkeypatch.setenv("KT2T_PODS", "job-name=train")
    monkeypatch.setenv("KT2T_WORKERS", "2")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")


def test_pods_of_an_indexed_job_in_the_order_of_their_index_at_their_own_addresses(monkeypatch):
    monkeypatch.setenv("KT2T_WORKERS", "11")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "10")
    client = Client(
        [pod(f"train-{index}-{'zyxwvutsrqp'[index]}", f"10.0.0.{index}", index=index) for index in range(11)]
    )
    addresses, own = addresses_of_pods(0, client)
    assert addresses == [f"10.0.0.{index}:8470" for index in range(11)] and own == 10
    assert client.asked == [("field", "job-name=train")]


def test_pods_of_a_stateful_set_are_known_by_their_names(monkeypatch):
    monkeypatch.delenv("JOB_COMPLETION_INDEX")
    monkeypatch.setattr(pods.socket, "gethostname", lambda: "train-0")
    assert addresses_of_pods(0, Client([pod("train-1", "b"), pod("train-0", "a")])) == (["a:8470", "b:8470"], 0)


def test_who_does_not_run_yet_is_waited_for_and_who_failed_is_not_taken():
    failed, pending = pod("train-0-a", "old", "Failed", 0), pod("train-1-b", None, "Pending", 1)
    client = Client(
        [failed], [failed, pending], [failed, pod("train-0-c", "a", index=0), pod("train-1-b", "b", index=1)]
    )
    assert addresses_of_pods(60, client, between=0)[0] == ["a:8470", "b:8470"]
    assert len(client.asked) == 3
    with pytest.raises(PeerError, match="those with the index 0 did not run within 0 seconds") as caught:
        addresses_of_pods(0, Client([pod("train-1-b", "b", index=1)]), between=0)
    assert caught.value.status == 7


def test_of_two_pods_with_one_index_the_younger_one_counts():
    old, new = pod("train-0-z", "old", index=0, created="1"), pod("train-0-a", "new", index=0, created="2")
    assert addresses_of_pods(0, Client([new, old, pod("train-1-b", "b", index=1)]))[0] == ["new:8470", "b:8470"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("KT2T_PODS", "", "KT2T_PODS: not set"),
        ("KT2T_WORKERS", "many", "KT2T_WORKERS: 'many' is not a number"),
        ("KT2T_WORKERS", "1", "KT2T_WORKERS: 1, but this pod has the index 1"),
        ("JOB_COMPLETION_INDEX", "", "Run them as an indexed Job or a StatefulSet"),
    ],
)
def test_what_a_pod_is_not_told_is_told(monkeypatch, name, value, told):
    monkeypatch.setattr(pods.socket, "gethostname", lambda: "train-abcde")
    monkeypatch.setenv(name, value)
    with pytest.raises(RecipeError, match=told):
        addresses_of_pods(0, Client([]))


def test_a_missing_client_and_a_cluster_that_refuses_have_a_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(RecipeError, match="pip install kubernetes") as caught:
        addresses_of_pods(0)
    assert caught.value.status == 2
    with pytest.raises(ResourceError, match="PermissionError: 403 Forbidden. Let the pod's service account") as caught:
        addresses_of_pods(0, Client(PermissionError("403 Forbidden\nHTTP response headers")))
    assert caught.value.status == 5


def test_the_client_is_that_of_the_cluster(monkeypatch):
    client, loaded = Client([pod("train-0", "a"), pod("train-1", "b")]), []
    config = SimpleNamespace(load_incluster_config=lambda: loaded.append(1))
    made = SimpleNamespace(config=config, client=SimpleNamespace(CoreV1Api=lambda: client))
    monkeypatch.setitem(sys.modules, "kubernetes", made)
    # TensorFlow asks for the package as well, and must not take it for its own way to the cluster.
    assert addresses_of_pods(0) == (["a:8470", "b:8470"], 1) and loaded == [1]

    def refuse():
        raise ValueError("no token")

    config.load_incluster_config = refuse
    with pytest.raises(ResourceError, match="does not accept this pod: no token"):
        addresses_of_pods(0)
