"""The tests of the pure packages and of each kind of data once more, on the JAX backend, each group in a child process."""

import subprocess
import sys
from pathlib import Path

import cost_table
import keras
import pytest
from on_jax import on_jax

TESTS = Path(__file__).resolve().parent
# The golden numbers of a whole model and of search; those of single layers, losses and metrics are checked on TensorFlow.
GOLDEN = (
    "golden/test_transformer_base.py",
    "golden/test_kinds_in_turn.py",
    "golden/test_beam_search.py",
    "golden/test_text_cnn.py",
    "golden/test_basic_fc.py",
    "golden/test_bytenet.py",
    "golden/test_evolved_transformer.py",
    "golden/test_universal_transformer.py",
    "golden/test_slicenet.py",
    "golden/test_lstm.py",
    "golden/test_neural_gpu.py",
)
GROUPS = (
    ("ops", "layers"),
    ("models", "decoding"),
    ("losses", "metrics", *GOLDEN, "features", "test_registry.py"),
    ("test_verticals.py",),
)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="this is the child run itself")
@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_they_pass_on_jax(request, group, tmp_path, record_property):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    paths = [str(TESTS / name) for name in group if (TESTS / name).exists()]
    assert len(paths) >= len(group) - 1  # the features are a file or a folder
    given = request.config.getoption("--golden")
    paths += [] if given is None else ["--golden", given]
    environment = {**on_jax(), "JAX_PLATFORMS": "cpu", cost_table.FILE: str(tmp_path / "seconds.json")}
    done = subprocess.run([*command, *paths], capture_output=True, text=True, env=environment, cwd=TESTS.parent)
    cost_table.keep(record_property, tmp_path / "seconds.json")
    print(done.stdout[-8000:])  # with the durations of the child's own tests
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
