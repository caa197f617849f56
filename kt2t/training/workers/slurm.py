"""Finds the address of every task of a SLURM step, this task's index, and its GPUs. Needs TensorFlow."""

from __future__ import annotations

import os

from kt2t.errors import RecipeError

_FIRST_PORT, _PORTS = 12_000, 16  # each job has 16 ports of its own, so two jobs on a node do not collide


def tasks_of_step() -> tuple[list[str], int]:
    """Returns the `host:port` of every task of this SLURM step, and the index of this task; also shares the node's GPUs.

    TensorFlow's resolver reads SLURM's lists, with two corrections. By default it asks `nvidia-smi` for GPUs, which
    fails if there are none. It also assumes that tasks are in the alphabetical order of their hosts; here each task
    finds its index by its host and its number on that host. If several tasks see all GPUs of a node, each takes an
    equal share by setting `CUDA_VISIBLE_DEVICES`.

    Raises:
        ValueError: A variable of SLURM is missing or invalid, or the GPUs cannot be shared equally.
    """
    import tensorflow as tf

    base = _FIRST_PORT + _number("SLURM_JOB_ID") % 1000 * _PORTS
    node, local = _word("SLURMD_NODENAME"), _number("SLURM_LOCALID")
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=base, gpus_per_node=_number("SLURM_STEP_NUM_TASKS"), gpus_per_task=1, auto_set_gpu=False
        )
        addresses: list[str] = resolver.cluster_spec().as_dict()["worker"]
    except (RuntimeError, ValueError) as error:
        raise RecipeError(f"SLURM: {error}. Start the workers with srun, or give them TF_CONFIG.") from None
    own = f"{node}:{base + local}"
    if own not in addresses:
        raise RecipeError(
            f"SLURM: task {local} of node {node!r} is none of {', '.join(addresses)}. Start the workers with srun, or give "
            "them TF_CONFIG."
        )
    _take_gpus(local, sum(address.startswith(f"{node}:") for address in addresses))
    return addresses, addresses.index(own)


def _take_gpus(local: int, tasks: int) -> None:
    """Gives a task its share of a node's GPUs, unless SLURM has already distributed them."""
    on_node = _number("SLURM_GPUS_ON_NODE", 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(on_node)))).split(",")
    if tasks == 1 or not on_node or len(visible) < on_node:
        return
    if on_node % tasks:
        raise RecipeError(
            f"SLURM: {tasks} tasks cannot share the {on_node} GPUs of a node equally. Start a number of tasks per node that "
            "divides them."
        )
    share = on_node // tasks
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible[local * share : (local + 1) * share])


def _word(name: str) -> str:
    if name not in os.environ:
        raise RecipeError(f"SLURM: {name} is not set. Start the workers with srun, or give them TF_CONFIG.")
    return os.environ[name]


def _number(name: str, default: int | None = None) -> int:
    word = _word(name) if default is None else os.environ.get(name, str(default))
    if not word.isdigit():
        raise RecipeError(f"SLURM: {name} is {word!r}, not a number. Start the workers with srun, or give them TF_CONFIG.")
    return int(word)
