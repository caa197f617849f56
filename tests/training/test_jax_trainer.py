from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import pytest
from on_jax import on_jax

HERE = Path(__file__).parent
FILES = ("trainer", "law", "rows", "parts", "watching", "objective", "clipping", "flat_metric")
FILES += ("loss_tracker", "epoch_logs", "target_metric", "law_targets", "law_batch_norm", "state", "passes", "missing_weights")


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is the child")
def test_the_trainers_tests_pass_on_jax():
    files = [HERE / f"test_{name}.py" for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--import-mode=importlib"]
    child = subprocess.run(
        [*command, *map(str, files)],
        env=on_jax(),
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert child.returncode == 0, child.stdout[-3000:] + child.stderr[-1000:]
    # Of the law and of batch norm, what is about replicas alone; and metrics of layers, which Keras's JAX trainer leaves out.
    assert " passed, 4 skipped" in child.stdout
