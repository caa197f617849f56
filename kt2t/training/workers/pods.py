"""Finds the address of every pod of a Kubernetes job, and this pod's index. Needs TensorFlow."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kt2t.errors import PeerError, RecipeError, ResourceError

_PORT = 8470
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_INDEX = "batch.kubernetes.io/job-completion-index"


def addresses_of_pods(patience: float, client: Any = None, between: float = 1.0) -> tuple[list[str], int]:
    """Waits until all pods of this Kubernetes job run; returns the `host:port` of each, by index, and this pod's index.

    `KT2T_PODS` is the label selector of the pods, such as `job-name=train`, and `KT2T_WORKERS` their number. The index
    of a pod is its completion index in an indexed Job, or its ordinal in a StatefulSet.

    Args:
        patience: Maximum number of seconds to wait.
        client: Kubernetes client to use. Default: `kubernetes.client.CoreV1Api()`.
        between: Seconds between two queries.

    Raises:
        ValueError: A variable is missing or invalid, or Kubernetes's client is not installed.
        OSError: The cluster does not answer, or refuses this pod.
        ConnectionError: Not all pods run in time.
    """
    selector, workers, own = _selector(), _workers(), _own_index()
    if not own < workers:
        raise RecipeError(f"KT2T_WORKERS: {workers}, but this pod has the index {own}, counted from 0.")
    client = client or _client()
    end = time.monotonic() + patience
    while not (running := _running(client, selector)).keys() >= set(range(workers)):
        if time.monotonic() > end:
            missing = sorted(set(range(workers)) - running.keys())
            raise PeerError(
                f"of {workers} pods of {selector!r} those with the index {', '.join(map(str, missing))} did not run within "
                f"{patience:g} seconds. See `kubectl get pods -l {selector}`."
            )
        time.sleep(between)
    return _resolved({index: running[index] for index in range(workers)}), own


def _resolved(running: Mapping[int, str]) -> list[str]:
    """Makes the addresses with TensorFlow's resolver.

    The resolver uses the addresses of the pods' nodes, in the order of the pods' names in all namespaces. So it is given
    made-up pods, with the pod's own address as the node's address, and with the index as name.
    """
    import tensorflow as tf

    pods = [
        SimpleNamespace(
            metadata=SimpleNamespace(name=f"{index:08}"), status=SimpleNamespace(phase="Running", host_ip=address)
        )
        for index, address in running.items()
    ]
    shown = SimpleNamespace(list_pod_for_all_namespaces=lambda label_selector: SimpleNamespace(items=pods))
    resolver = tf.distribute.cluster_resolver.KubernetesClusterResolver(
        {"worker": ["shown"]}, tf_server_port=_PORT, override_client=shown
    )
    addresses: list[str] = resolver.cluster_spec().as_dict()["worker"]
    return addresses


def _running(client: Any, selector: str) -> dict[int, str]:
    """Returns the address of every running pod by index. If two pods have one index, the younger wins."""
    try:
        namespace = _NAMESPACE.read_text(encoding="utf-8").strip()
        pods = client.list_namespaced_pod(namespace, label_selector=selector).items
    except Exception as error:  # the client's errors have no base class in common
        first = str(error).strip().partition("\n")[0]
        raise ResourceError(
            f"Kubernetes does not list the pods of {selector!r}: {type(error).__name__}: {first}. Let the pod's service "
            "account list pods of its namespace, or give the workers TF_CONFIG."
        ) from error
    found = {}
    for pod in sorted(pods, key=lambda pod: str(pod.metadata.creation_timestamp)):
        index = (pod.metadata.annotations or {}).get(_INDEX) or _ordinal(pod.metadata.name)
        if index is not None and pod.status.phase == "Running" and pod.status.pod_ip:
            found[int(index)] = str(pod.status.pod_ip)
    return found


def _client() -> Any:
    try:
        from kubernetes import client, config
    except ImportError:
        raise RecipeError(
            "train.strategy: 'multi_worker' finds its workers through Kubernetes's client, which is not installed. Add "
            "`pip install kubernetes` to the image, or give the workers TF_CONFIG."
        ) from None
    try:
        config.load_incluster_config()
    except Exception as error:
        raise ResourceError(
            f"Kubernetes does not accept this pod: {error}. Give it a service account, or give the workers TF_CONFIG."
        ) from error
    return client.CoreV1Api()


def _selector() -> str:
    selector = os.environ.get("KT2T_PODS", "")
    if not selector:
        raise RecipeError(
            "KT2T_PODS: not set. Set it in every pod to the label selector of all workers, such as job-name=train, or give "
            "them TF_CONFIG."
        )
    return selector


def _workers() -> int:
    word = os.environ.get("KT2T_WORKERS", "")
    if not word.isdigit() or not int(word):
        raise RecipeError(f"KT2T_WORKERS: {word!r} is not a number of workers. Set it in every pod to their number.")
    return int(word)


def _own_index() -> int:
    index = os.environ.get("JOB_COMPLETION_INDEX") or _ordinal(socket.gethostname())
    if index is None or not index.isdigit():
        raise RecipeError(
            f"this pod ({socket.gethostname()!r}) does not know its index among the workers. Run them as an indexed Job or a "
            "StatefulSet, or set JOB_COMPLETION_INDEX in each."
        )
    return int(index)


def _ordinal(name: str) -> str | None:
    found = re.search(r"-(\d+)$", name)
    return found and found[1]
