import os
import subprocess
import sys

import pytest

from kt2t.cli.main import run


def test_greetings_are_left_out_and_the_rest_stays():
    code = """
import os, sys
from kt2t.cli import quiet
with quiet._without_greetings():
    os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"a real complaint\\n")
print("after", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "a real complaint\nafter\n"


def test_importing_keras_says_nothing():
    code = "from kt2t.cli.quiet import import_keras; import_keras(); import keras; print(keras.ops.ones(2).shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr


@pytest.mark.parametrize(
    ("backend", "absent", "status", "told"),
    [
        (
            "jax",
            "jax",
            5,
            "kt2t: KERAS_BACKEND: the backend is jax, which is not installed here. Install it (pip install",
        ),
        ("tensorflow", "tensorflow", 5, "kt2t: KERAS_BACKEND: the backend is tensorflow, which is not installed here."),
        ("torch", "torch", 2, "kt2t: KERAS_BACKEND: kt2t trains on tensorflow and jax, not on 'torch'."),
        ("numpy", "torch", 2, "kt2t: KERAS_BACKEND: kt2t trains on tensorflow and jax, not on 'numpy'."),
        ("tensorflw", "torch", 2, "not on 'tensorflw'. Set KERAS_BACKEND=tensorflow."),
    ],
)
def test_a_backend_that_is_not_there_is_told_of(backend, absent, status, told, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setitem(sys.modules, absent, None)
    assert run(["train", "quickstart"]) == status
    said = capsys.readouterr().err
    assert told in said and len(said.splitlines()) == 1


def test_the_backend_of_keras_own_file_is_checked_too(monkeypatch, capsys, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    assert run(["explain", "quickstart"]) == 2
    assert f"{tmp_path / 'keras.json'}: kt2t trains on tensorflow and jax, not on 'torch'" in capsys.readouterr().err


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow", reason="JAX is the backend")
def test_importing_keras_leaves_out_what_nobody_asks_for(tmp_path):
    code = """
import importlib.util, sys
from kt2t.cli.quiet import OPTIONAL, import_keras
import_keras()
print([name for name in OPTIONAL if name in sys.modules])
import keras, matplotlib.pyplot, numpy as np
from keras.src.visualization import plot_image_gallery
print(plot_image_gallery.plt.subplots is matplotlib.pyplot.subplots)
keras.visualization.plot_image_gallery(np.zeros((4, 8, 8, 3)), value_range=(0, 1), rows=2, cols=2, path="gallery.png")
print(importlib.util.find_spec("jax") is None or __import__("jax").__name__ == "jax")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["[]", "True", "True"], done.stderr


def test_what_is_imported_is_never_searched_for_garbage_and_other_objects_rarely():
    code = """
import gc
from kt2t.cli.quiet import collecting_rarely
with collecting_rarely():
    assert not gc.isenabled()
    kept = [[] for _ in range(1000)]
assert gc.isenabled() and gc.get_freeze_count() > 1000 and gc.get_threshold() == (20_000, 50, 100)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
