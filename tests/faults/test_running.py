"""The rows R04 to R10 of the fault catalogue, each through the command: its status, what it says, and what is saved.

R01 to R03, gradients that are not numbers, are `tests/callbacks/test_bad_batches.py`; what a loss that explodes does to the
batches is `tests/callbacks/test_explosions.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import pytest
from toy_model import Toy

from kt2t.cli.main import run
from kt2t.training import checkpoints

QUICK = ["report.score=false", "report.best=loss", "report.attention_maps=false", "report.samples=1"]
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of the TensorFlow backend")


@pytest.fixture
def command(tiny):
    return ["train", str(tiny), "--run-dir", "r", *QUICK]


def steps(folder="r"):
    """Those of the checkpoints, each of which is whole."""
    return [checkpoints.verify(path).step for path in checkpoints.saved(Path(folder) / "checkpoints")]


def sentence(said):
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("kt2t: ")]
    return line


def test_r04_a_loss_that_explodes_is_status_6_where_that_is_asked_for(command, capsys, monkeypatch):
    from kt2t.callbacks import Explosions

    monkeypatch.setattr(Explosions, "_since", lambda self: (1.0, 1.0 if self._step <= 28 else 30.0))
    for policy, status in (("stop", 6), ("warn", 0), ("rollback", 0)):
        given = [*command, "train.steps=36", f"train.on_explosion={policy}", "--run-dir", policy]
        assert run(given) == status
        said = capsys.readouterr().err
        assert "the loss up to step 32 is 30, 30 times its running mean 1. " in said
        assert ("Back to the weights of" if policy == "rollback" else "Lower the learning rate") in said
        if policy == "stop":
            assert sentence(said).endswith("The last good checkpoint is 'stop/checkpoints/step-28'.")
            assert max(steps("stop")) == 28


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_r05_r06_a_signal_saves_within_the_step_and_is_its_own_status(command, capsys, monkeypatch, name, status):
    from kt2t.callbacks import Checkpointing

    before = Checkpointing.on_train_batch_end

    def sent(self, batch, logs=None):
        if batch == 2:
            os.kill(os.getpid(), getattr(signal, name))
        before(self, batch, logs)

    monkeypatch.setattr(Checkpointing, "on_train_batch_end", sent)
    assert run([*command, "report.every=12"]) == status and steps() in ([3], [4])
    assert "stopped and saved; the same command continues." in capsys.readouterr().err
    monkeypatch.undo()


def test_r06_a_second_interrupt_right_behind_the_first_saves_all_the_same(command, capsys, monkeypatch):
    from kt2t.callbacks import Checkpointing

    def sent(self, batch, logs=None):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Checkpointing, "on_train_batch_end", sent)
    assert run(command) == 130 and steps()
    assert "stopped and saved; the same command continues." in capsys.readouterr().err


def _no_memory_of_the_host():
    raise MemoryError("Unable to allocate 7.45 GiB for an array")


def _no_memory_of_the_device():
    import tensorflow as tf

    tf.zeros((2**22, 2**24)) + 1.0  # 256 TiB, which no machine gives


@pytest.mark.parametrize("lack", [_no_memory_of_the_host, _no_memory_of_the_device])
def test_r07_out_of_memory_is_status_5_with_what_takes_less(command, capsys, monkeypatch, lack):
    from kt2t.callbacks import Checkpointing

    assert run([*command, "train.steps=4"]) == 0
    monkeypatch.setattr(Checkpointing, "on_train_batch_end", lambda self, batch, logs=None: lack())
    capsys.readouterr()
    assert run([*command, "train.steps=8"]) == 5
    line = sentence(capsys.readouterr().err)
    for advice in ("out of memory", "train.batch", "max_length", "train.micro_batches", "model.recompute"):
        assert advice in line
    assert steps() == [4]


SHORT = """\
import resource
from pathlib import Path

import tensorflow as tf

from kt2t.callbacks import Checkpointing
from kt2t.cli.main import main
from toy_model import Toy

side, real, seen = tf.Variable(1, trainable=False), Toy.call, []
def call(self, features, training=None):
    return real(self, features, training=training) + 0 * tf.reduce_sum(tf.random.stateless_uniform([side, side], [1, 2]))
def short(self, batch, logs=None):
    seen.append(batch)
    if len(seen) == 2:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        room = pages * resource.getpagesize() + 2**29
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        side.assign(50_000)
Toy.call = call
Checkpointing.on_train_batch_end = short
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_r07_a_step_that_the_system_gives_no_memory_is_status_5(command):
    """A real limit, half a gigabyte above what the process has after two steps; the third asks for ten."""
    words = [*command, "train.steps=8", "report.every=4", "train.jit_compile=false"]
    done = subprocess.run([sys.executable, "-c", SHORT, *words], capture_output=True, text=True)
    assert done.returncode == 5, done.stderr[-3000:]
    line = sentence(done.stderr)
    assert "out of memory" in line and "train.micro_batches" in line and steps() == []


def test_r08_a_pipe_in_place_of_a_source_is_status_3_and_not_waited_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("text.txt")
    model = "model: {type: TransformerLM, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2}"
    for problem in (
        "type: ParallelText, train_files: text.txt",
        "type: TextFiles, path: text.txt",
        "type: TextFiles, path: .",
    ):
        Path("mine.yaml").write_text(f"problem: {{{problem}}}\n{model}\noptimizer: {{type: Adam}}\n")
        assert run(["prepare", "mine.yaml", "--data-dir", "data"]) == 3
        assert "text.txt' is a pipe, not a file. Write its content to a file" in sentence(capsys.readouterr().err)


def test_r08_an_input_that_stalls_is_status_7_with_the_stacks(command, capfd, monkeypatch):
    from kt2t.data import reader
    from kt2t.data.records import Records

    assert run([*command, "train.steps=4"]) == 0
    never = threading.Event()
    real = Records.read

    def blocked(self, indices):
        if threading.current_thread().name == "kt2t reader":
            never.wait()
        return real(self, indices)

    monkeypatch.setattr(Records, "read", blocked)
    monkeypatch.setattr(reader, "PATIENCE", 1.0)
    capfd.readouterr()
    try:
        assert run([*command, "train.steps=8"]) == 7
    finally:
        never.set()
    said = capfd.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("kt2t: ")]
    assert "no batch came for 1 seconds" in line and "start again: training continues" in line
    assert "in blocked" in said and "Current thread" in said  # where the reader waits, and who waited for it
    assert steps() == [4]


def test_r09_summaries_that_cannot_be_written_are_told_once_and_training_ends_well(command, monkeypatch):
    from kt2t.callbacks import event_file
    from kt2t.callbacks.event_file import EventFile

    class Full:
        """A file on a full disk."""

        def write(self, content):
            raise OSError(28, "No space left on device")

        def seek(self, place):
            return place

        def truncate(self):
            return 0

        def close(self):
            return None

    real = EventFile._open

    def opened(self):
        real(self)
        self._file.close()
        self._file = Full()

    monkeypatch.setattr(EventFile, "_open", opened)
    said = []
    monkeypatch.setattr(event_file.logger, "warning", lambda text, *values: said.append(text % values))
    assert run(command) == 0
    assert sorted(one.partition(":")[0] for one in said) == ["r/tensorboard/train", "r/tensorboard/validation"]
    assert all("No space left on device" in one and "Training goes on without them" in one for one in said)
    assert max(steps()) == 12


@pytest.mark.parametrize("where", ["score", "evaluate"])
def test_r10_what_fails_after_the_steps_does_not_lose_them(command, capsys, monkeypatch, where):
    from kt2t.data.algorithmic.reverse import Reverse

    def fails(self, *given, **more):
        raise ZeroDivisionError("a score of nothing")

    owner, name = {"score": (Reverse, "score"), "evaluate": (Toy, "test_step")}[where]
    given = [one for one in command if not one.startswith(("report.score", "report.best"))]
    with monkeypatch.context() as within:
        within.setattr(owner, name, fails)
        assert run([*given, "report.best=exact_match"]) == 70
    assert "this is a bug of kt2t: ZeroDivisionError: a score of nothing" in sentence(capsys.readouterr().err)
    assert steps() == [4]
    assert run([*given, "report.best=exact_match", "train.steps=8"]) == 0
    assert "continuing from r/checkpoints/step-4" in capsys.readouterr().err and steps() == [4, 8]
