"""What every test may ask for: golden numbers, real data, small recipes, and two logical processors under TensorFlow."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
# The processes that tests start find the toy model as well.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers are processes side by side: further threads of each only take turns on the same cores.
    for threads in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(threads, "1")

import cost_table  # noqa: E402
import on_jax  # noqa: E402
from golden_files import DATA, without  # noqa: E402
from nursery import Nursery  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", metavar="DIR", help="golden numbers to check against, instead of those beside the real data"
    )


def pytest_configure(config: pytest.Config) -> None:
    if on_jax.CACHE not in os.environ:  # as it is in xdist's workers and in child processes
        os.environ[on_jax.CACHE] = tempfile.mkdtemp(prefix="kt2t-jax-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(on_jax.CACHE), ignore_errors=True))
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    if not tf.config.get_logical_device_configuration(cpu):
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests that run children on JAX first: begun last, they would leave the other workers without work."""
    items.sort(key=lambda item: item.path.name not in ("test_jax.py", "test_jax_trainer.py"))


def pytest_sessionstart() -> None:
    """Collects garbage as rarely as the command line does."""
    from kt2t.cli.quiet import collecting_rarely

    with collecting_rarely():
        import keras  # noqa: F401


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    cost_table.show(terminalreporter, os.environ.pop(cost_table.FILE, None))


@pytest.fixture(autouse=True)
def determinism_ends_with_its_test() -> Iterator[None]:
    """`train.deterministic` holds for a process, in which Keras then compiles nothing with XLA."""
    yield
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework.config import disable_op_determinism  # TensorFlow has no public name for it

        disable_op_determinism()


@pytest.fixture(scope="session")
def test_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real data; a test that needs it is skipped without it."""
    if not DATA.is_dir():
        without(f"no real data in {DATA}", request.config)
    return DATA


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest):
    """`golden(name)` gives one of the files beside the real data; `tests/golden` checks those of any other folder."""
    where = DATA.parent / "reference" / "golden"

    def load(name: str):
        if not (where / f"{name}.npz").is_file():
            without(f"no golden numbers {name!r}", request.config)
        return np.load(where / f"{name}.npz", allow_pickle=False)

    return load


@pytest.fixture(scope="session")
def tensor2tensor(request: pytest.FixtureRequest) -> Path:
    """What Tensor2Tensor itself wrote: a checkpoint, vocabularies, its sets of hparams, and logits of the checkpoint."""
    where = DATA.parent / "reference" / "tensor2tensor"
    if not (where / "checkpoint").is_dir():
        without(f"no checkpoint of Tensor2Tensor in {where}", request.config)
    return where


TOY = "{type: toy_model.Toy, num_layers: 1, hidden_dim: 16, dropout: 0.1}"
TRANSFORMER = "{type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2, dropout: 0.1}"
TINY = """\
# A tiny run for tests.
problem: {type: Reverse, symbols: 5, max_length: 4, evaluation_length: 6, train_examples: 600, validation_examples: 60}
model: MODEL
optimizer:
  type: Adam
  learning_rate: {type: Noam, hidden_dim: =model.hidden_dim, warmup: 20}
train: {steps: 12, batch: {rows: 16, shapes: 1}, dtype: float32}
report: {every: 4, best: exact_match, score_limit: 16, samples: 2}
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_data: Path) -> Path:
    """A fresh working folder; prepared data is shared by all tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KT2T_DATA", str(tiny_data))
    return tmp_path


@pytest.fixture
def tiny(workplace: Path) -> Path:
    """The file of a recipe that trains the toy model, in the working folder."""
    file = workplace / "tiny.yaml"
    file.write_text(TINY.replace("MODEL", TOY), encoding="utf-8")
    return file


@pytest.fixture
def tiny_transformer(workplace: Path) -> Path:
    """The same recipe with a small Transformer, for tests in which the model is the point."""
    file = workplace / "tiny.yaml"
    file.write_text(TINY.replace("MODEL", TRANSFORMER), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Starts processes that have imported everything: see `nursery.py`."""
    started = Nursery(tmp_path_factory.mktemp("nursery"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny problem is prepared, once for all tests."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    """The folder of a run of the tiny recipe, trained to its end; no test may change it."""
    from kt2t.recipe_file import load
    from kt2t.run.train import train

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(TINY.replace("MODEL", TOY), encoding="utf-8")
    recipe = load(str(folder / "tiny.yaml"))
    recipe.check()
    return train(recipe, folder / "run", tiny_data).folder
