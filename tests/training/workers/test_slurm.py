"""SLURM's variables, made up: as srun sets them on nodes with and without GPUs."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import pytest

from kt2t.errors import RecipeError
from kt2t.training.workers.slurm import tasks_of_step

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="several workers are TensorFlow's")
# srun -N 2 --ntasks-per-node 2 on n9 and n10: SLURM counts n9's tasks first, the order of names has n10 first.
STEP = {
    "SLURM_JOB_ID": "70003",
    "SLURM_STEP_NODELIST": "n[9-10]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURMD_NODENAME": "n9",
}


@pytest.fixture
def step(monkeypatch):
    """A function that makes this process a task of a step."""
    for name in [*os.environ]:
        if name.startswith("SLURM") or name == "CUDA_VISIBLE_DEVICES":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "")  # no nvidia-smi

    def become(**changed):
        for name, value in {**STEP, **changed}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    yield become
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)


@pytest.mark.parametrize("distribution", ["block", "cyclic"])
def test_every_task_of_nodes_without_gpus_finds_itself_whatever_their_order(step, distribution):
    found = []
    for rank in range(4):
        node, local = divmod(rank, 2) if distribution == "block" else (rank % 2, rank // 2)
        step(SLURM_PROCID=str(rank), SLURM_LOCALID=str(local), SLURMD_NODENAME=("n9", "n10")[node])
        addresses, own = tasks_of_step()
        assert addresses[own] == f"{('n9', 'n10')[node]}:{12_000 + 3 * 16 + local}"
        found.append((tuple(addresses), own))
    assert len({addresses for addresses, _ in found}) == 1 and sorted(own for _, own in found) == [0, 1, 2, 3]
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.parametrize(
    ("on_node", "visible", "local", "share"),
    [
        ("4", None, 0, "0,1"),
        ("4", None, 1, "2,3"),
        ("4", "4,5,6,7", 1, "6,7"),
        ("4", "2,3", 1, "2,3"),  # shared out by SLURM
        ("2", "0,1", 1, "1"),
    ],
)
def test_gpus_of_a_node_are_shared_out_once(step, on_node, visible, local, share):
    step(SLURM_GPUS_ON_NODE=on_node, SLURM_LOCALID=str(local), **({"CUDA_VISIBLE_DEVICES": visible} if visible else {}))
    tasks_of_step()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == share


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"SLURM_LOCALID": None}, "SLURM_LOCALID is not set. Start the workers with srun"),
        ({"SLURM_STEP_TASKS_PER_NODE": None}, "SLURM_STEP_TASKS_PER_NODE not found"),
        ({"SLURM_STEP_NUM_TASKS": "four"}, "SLURM_STEP_NUM_TASKS is 'four', not a number"),
        ({"SLURM_STEP_NUM_TASKS": "3"}, "Requested 3 tasks but only 4"),
        ({"SLURM_STEP_NODELIST": "n[9-"}, "Invalid hostlist"),
        ({"SLURMD_NODENAME": "other"}, "task 1 of node 'other' is none of n10:"),
        ({"SLURM_GPUS_ON_NODE": "3"}, "2 tasks cannot share the 3 GPUs"),
    ],
)
def test_what_slurm_cannot_mean_is_told(step, changed, told):
    step(**changed)
    with pytest.raises(RecipeError, match=told) as caught:
        tasks_of_step()
    assert caught.value.status == 2


SCRIPT = """
import tensorflow as tf
from kt2t.training.replicas import Replicas
from kt2t.training.workers.team import the_multi_worker_strategy
replicas = Replicas(the_multi_worker_strategy())
print("FOUND", replicas.workers, replicas.worker, int(replicas.everywhere(tf.constant(10 ** replicas.worker))), flush=True)
"""


def test_two_tasks_on_this_machine_add_up():
    job = os.getpid() % 1000
    step = {**STEP, "SLURM_JOB_ID": str(job), "SLURM_STEP_NODELIST": "localhost", "SLURMD_NODENAME": "localhost"}
    step |= {"SLURM_STEP_TASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2"}
    given = {name: value for name, value in os.environ.items() if name not in ("TF_CONFIG", "CUDA_VISIBLE_DEVICES")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={**given, **step, "SLURM_PROCID": place, "SLURM_LOCALID": place},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for place in "01"
    ]
    outputs = [process.communicate(timeout=600) for process in running]
    assert [process.returncode for process in running] == [0, 0], [said[-2000:] for _, said in outputs]
    assert [out.rpartition("FOUND ")[2].split() for out, _ in outputs] == [["2", "0", "11"], ["2", "1", "11"]]
