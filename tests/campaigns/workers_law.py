"""The law over workers: fifty steps of each optimizer on two processes are those of one.

    python -m tests.campaigns.workers_law [--steps 50]

Starts a plain script of `compile`, `fit` and `evaluate` on two local workers and alone, and prints for each optimizer the
largest relative difference of a step's loss and of a weight (relative to the largest of its tensor). Status 1 where a loss
differs by more than 1e-5 or a weight by more than 1e-4.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.run.launch import _free_addresses

TESTS = Path(__file__).resolve().parent.parent / "training"


def script(many: bool, count: int) -> None:
    """What each process does; prints its figures as a line of JSON."""
    sys.path.insert(0, str(TESTS))
    from kt2t.training.strategies import strategy_scope

    name = "multi_worker" if many else "none"
    strategy_scope(name)  # the workers meet before anything else of TensorFlow is used
    import keras
    import test_law as law

    found: dict[str, Any] = {}
    for optimizer, make in law.OPTIMIZERS.items():
        keras.utils.set_random_seed(7)
        with strategy_scope(name):
            model = law.Small()
            model.compile(make(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        data, steps = law.batches(count), law.Steps()
        model.fit(law.dataset(data), verbose=0, callbacks=[steps])
        found[optimizer] = {
            "losses": [logs["loss"] for logs in steps.logs] + [model.evaluate(law.dataset(data[:7]), verbose=0)],
            "weights": [np.asarray(one).ravel().tolist() for one in model.get_weights()],
        }
    sys.stdout.write("\n" + json.dumps(found) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--as", choices=("one", "two"), dest="kind", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.kind:
        script(asked.kind == "two", asked.steps)
        return 0
    addresses = _free_addresses(2)
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": place}} for place in range(2)]
    running = [_started("two", asked.steps, TF_CONFIG=json.dumps(task)) for task in tasks]
    running.append(_started("one", asked.steps))
    first, second, alone = (json.loads(process.communicate()[0].splitlines()[-1]) for process in running)
    wrong = 0
    for name, wanted in alone.items():
        loss = max(_loss(worker[name], wanted) for worker in (first, second))
        weight = max(_weight(worker[name], wanted) for worker in (first, second))
        good = loss <= 1e-5 and weight <= 1e-4
        wrong += not good
        print(f"{name:<14} losses within {loss:.1e}, weights within {weight:.1e}{'' if good else '  TOO FAR'}")
    return 1 if wrong else 0


def _started(kind: str, steps: int, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--as", kind, "--steps", str(steps)]
    told = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=told)


def _loss(found: dict[str, Any], wanted: dict[str, Any]) -> float:
    mine, theirs = np.array(found["losses"]), np.array(wanted["losses"])
    return float(np.max(np.abs(mine - theirs) / np.abs(theirs)))


def _weight(found: dict[str, Any], wanted: dict[str, Any]) -> float:
    pairs = [(np.array(one), np.array(other)) for one, other in zip(found["weights"], wanted["weights"], strict=True)]
    return max(float(np.max(np.abs(one - other)) / max(np.abs(other).max(), 1e-3)) for one, other in pairs)


if __name__ == "__main__":
    sys.exit(main())
