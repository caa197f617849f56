"""Finds the other worker processes of a run through `TF_CONFIG`, SLURM or Kubernetes. Needs TensorFlow."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from kt2t.errors import RecipeError


def resolver(patience: float) -> Any:
    """Returns TensorFlow's cluster resolver, which names the addresses of all workers and the index of this one.

    Args:
        patience: Maximum number of seconds to wait until Kubernetes runs all pods.

    Raises:
        ValueError: `TF_CONFIG`, SLURM or Kubernetes describe no valid cluster, or none of them is present.
        OSError: Kubernetes does not answer.
        ConnectionError: Not all pods run in time.
    """
    if "TF_CONFIG" in os.environ:
        import tensorflow as tf

        _check_config(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if "SLURM_STEP_NODELIST" in os.environ:
        from kt2t.training.workers.slurm import tasks_of_step

        return _simple(*tasks_of_step())
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        from kt2t.training.workers.pods import addresses_of_pods

        return _simple(*addresses_of_pods(patience))
    raise RecipeError(
        "train.strategy: 'multi_worker' finds no other workers: there is no TF_CONFIG, and this is neither SLURM nor "
        "Kubernetes. For several workers on this machine use `kt2t launch --workers N RECIPE`."
    )


def _simple(addresses: Sequence[str], own: int) -> Any:
    """Returns the resolver for these addresses; its GPUs are those that this process sees."""
    import tensorflow as tf

    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(addresses)}),
        task_type="worker",
        task_id=own,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )


def _check_config(text: str) -> None:
    """Raises RecipeError for a `TF_CONFIG` that TensorFlow would misread or wait on for ever."""
    try:
        config = json.loads(text)
        workers = [*config["cluster"].get("chief", []), *config["cluster"].get("worker", [])]
        kind, index = config["task"]["type"], int(config["task"]["index"])
        known = config["cluster"][kind]
        addresses = [(address, *address.rsplit(":", 1)) for address in workers]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecipeError(
            f"TF_CONFIG: {text!r} cannot be meant ({type(error).__name__}: {error}). It should be like "
            '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}.'
        ) from None
    if not 0 <= index < len(known):
        raise RecipeError(f"TF_CONFIG: task.index {index} is not one of the {len(known)} of {kind!r}, counted from 0.")
    for address, *parts in addresses:
        if len(parts) != 2 or not parts[1].isdigit():
            raise RecipeError(f"TF_CONFIG: {address!r} is no address. It should be like 'host:2222'.")
    if len(set(workers)) < len(workers):
        raise RecipeError("TF_CONFIG: two workers have the same address.")
