"""The pure rooms once more, on the JAX backend, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest
from on_jax import on_jax

TESTS = Path(__file__).resolve().parent
ROOMS = (
    ("ops", "layers"),
    ("models", "decoding"),
    ("losses", "metrics", "golden", "test_features.py", "test_registry.py"),
)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="this is the child run itself")
@pytest.mark.parametrize("rooms", ROOMS, ids=" ".join)
def test_the_pure_rooms_pass_on_jax(request, rooms):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    paths = [str(TESTS / room) for room in rooms]
    given = request.config.getoption("--golden")
    paths += [] if given is None else ["--golden", given]
    environment = {**on_jax(), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([*command, *paths], capture_output=True, text=True, env=environment, cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
