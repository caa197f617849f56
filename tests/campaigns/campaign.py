"""What the campaigns of kills and signals share: runs that start fast, and what two equal runs must have in common."""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kt2t.cli.main import main
from kt2t.cli.quiet import import_keras
from kt2t.training.checkpoints import saved
from kt2t.training.manifest import read_manifest, verify

RECIPE = """\
problem: {{type: Reverse, symbols: 5, max_length: 4, evaluation_length: 6, train_examples: 600, validation_examples: 60}}
model: {model}
optimizer: {{type: Adam, learning_rate: {{type: Noam, hidden_dim: =model.hidden_dim, warmup: 20}}}}
train: {{steps: {steps}, batch: {{rows: 16, shapes: 2}}, dtype: float32, deterministic: true, strategy: {strategy}}}
report: {{every: {every}, best: loss, score: false, attention_maps: false, samples: 1}}
"""
MODELS = {
    "transformer": "{type: Transformer, num_layers: 1, hidden_dim: 16, intermediate_dim: 32, num_heads: 2, dropout: 0.1}",
    "toy": "{type: toy_model.Toy, hidden_dim: 16, dropout: 0.1}",  # starts faster: tests/toy_model.py
}
TESTS = Path(__file__).resolve().parent.parent
# The curves with these words in their names depend on the clock.
TIMED = ("per_second", "waiting", "seconds", "input")


class Started:
    """A process of a run, as the campaign sees it."""

    def __init__(self, process: int) -> None:
        self.process = process
        self.status: int | None = None
        self.since = time.monotonic()

    def poll(self) -> int | None:
        """The exit status once it has ended; minus the number of a signal that ended it."""
        if self.status is None:
            found, status = os.waitpid(self.process, os.WNOHANG)
            if found:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.002)
        return self.status or 0


class Campaign:
    """Runs of one small recipe in a folder of their own; two campaigns may run at once.

    Args:
        folder: For all of it.
        strategy: `none`, `mirrored` (two logical processors) or `multi_worker` (two local workers).
        steps: Of a run.
        every: Steps between two saves.
        model: One of `MODELS`.
    """

    def __init__(self, folder: Path, strategy: str, steps: int, every: int, model: str = "transformer") -> None:
        self.folder, self.strategy = folder, strategy
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe = folder / "recipe.yaml"
        given = "none" if strategy == "multi_worker" else strategy
        self.recipe.write_text(RECIPE.format(model=MODELS[model], steps=steps, strategy=given, every=every))
        if str(TESTS) not in sys.path:
            sys.path.append(str(TESTS))
        self.log = folder / "said.txt"
        os.environ["KT2T_DATA"] = str(folder / "data")
        import_keras(operation=False)  # so that each run is a copy of this process, which has imported all of it
        if model == "toy":
            importlib.import_module("toy_model")

    def whole(self) -> Path:
        """A run that nothing disturbs and that keeps all its checkpoints."""
        run = self.folder / "whole"
        status = self.start(run, "report.keep=100000").wait()
        if status:
            sys.exit(f"the undisturbed run ended with {status}: see {self.log}")
        return run

    def start(self, run: Path, *overrides: str, steps: Path | None = None) -> Started:
        """Starts or continues a run.

        Args:
            overrides: Of the recipe.
            steps: Where each worker notes its steps: see `noting`.
        """
        words = [str(self.recipe), *overrides, "--run-dir", str(run)]
        return Started(copied(lambda: self._be(*words, steps=steps)))

    def _be(self, *words: str, steps: Path | None) -> None:
        with self.log.open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        if self.strategy == "multi_worker":
            launched(words, steps)
        if self.strategy == "mirrored":
            two_processors()
        if steps is not None:
            noting(steps)
        main(["train", *words])


def copied(work: Callable[[], None]) -> int:
    """The number of a new process, a copy of this one that does some work and ends with its status."""
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        work()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    finally:
        os._exit(status)


def two_processors() -> None:
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


def launched(words: Sequence[str], steps: Path | None) -> None:
    """`kt2t launch --workers 2`, with workers that are copies of this process, and note their steps where that is asked for."""
    from kt2t.run import launch

    launch._start = functools.partial(Worker, steps)  # type: ignore[assignment]
    run = Path(words[words.index("--run-dir") + 1])
    recipe, *rest = words
    sys.exit(launch.launch(["train", recipe, "train.strategy=multi_worker", *rest], 2, run, restarts=20))


class Worker:
    """A copy of this process in place of the one that `launch` starts, with what `launch` asks of a `subprocess.Popen`."""

    def __init__(
        self, steps: Path | None, command: Sequence[str], addresses: Sequence[str], worker: int, said: int | None
    ) -> None:
        self.returncode: int | None = None
        self.pid = copied(lambda: self._work(steps, command, addresses, worker, said))

    def poll(self) -> int | None:
        return self._found(os.WNOHANG)

    def wait(self) -> int | None:
        return self._found(0)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _found(self, options: int) -> int | None:
        if self.returncode is None:
            process, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if process else None
        return self.returncode

    def _work(
        self, steps: Path | None, command: Sequence[str], addresses: Sequence[str], worker: int, said: int | None
    ) -> None:
        from kt2t.run import launch

        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        if said is not None:
            os.dup2(said, 1)
            os.dup2(said, 2)
        os.environ.update(launch.environment(addresses, worker, os.getppid()))
        if steps is not None:
            noting(steps)
        main(list(command[command.index("train") :]))


def noting(file: Path) -> None:
    """From now on this process notes in a file `time step` as each call of training ends."""
    from kt2t.callbacks.checkpointing import Checkpointing
    from kt2t.callbacks.pace import step_of

    worker = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"]["index"]
    notes = open(f"{file}-{worker}", "ab", buffering=0)
    original: Callable[..., None] = Checkpointing.on_train_batch_end

    def noted(self: Any, batch: int, logs: Any = None) -> None:
        notes.write(f"{time.monotonic()} {step_of(self.model)}\n".encode())
        original(self, batch, logs)

    Checkpointing.on_train_batch_end = noted  # type: ignore[method-assign]


def workers_of(started: Started) -> list[int]:
    """The processes that `launch` has started, in the order of their birth."""
    try:
        text = Path(f"/proc/{started.process}/task/{started.process}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def end(process: int, number: int = signal.SIGKILL) -> bool:
    """Sends a signal to a process of this campaign; whether it was still there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return False
    return True


def differing_checkpoints(run: Path, whole: Path) -> list[str]:
    """The checkpoints of a run that are not, byte for byte of their arrays and figure for figure, those of the other."""
    found = []
    for path in saved(run / "checkpoints"):
        try:
            mine, theirs = verify(path), read_manifest(whole / "checkpoints" / path.name)
        except Exception as error:
            found.append(f"{path.name} ({error})")
            continue
        if _hashes(mine) != _hashes(theirs):
            found.append(path.name)
        elif mine.extra.get("metrics") != theirs.extra.get("metrics"):
            found.append(f"{path.name} (figures)")
    return found


def differing_ends(run: Path, whole: Path) -> list[str]:
    """What of a finished run is not that of the other: checkpoints, the best step, the evaluation, the curves."""
    found = differing_checkpoints(run, whole)
    if saved(run / "checkpoints")[-1].name != saved(whole / "checkpoints")[-1].name:
        found.append("the last step")
    for name in ("checkpoints/best.json", "evaluation-validation.json"):
        if (run / name).read_bytes() != (whole / name).read_bytes():
            found.append(name)
    mine, theirs = curves(run), curves(whole)
    wrong = sorted(key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key))
    return found + [
        f"curve {name} at step {step}: {mine.get((name, step))}, not {theirs.get((name, step))}" for name, step in wrong
    ]


def curves(run: Path) -> dict[tuple[str, int], float]:
    """Every point that TensorBoard shows of a run, by the name of its curve and its step, but for those of the clock."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    from tensorboard.compat.proto.event_pb2 import SessionLog

    found: dict[tuple[str, int], float] = {}
    for file in sorted((run / "tensorboard").rglob("events.out*"), key=lambda path: path.stat().st_mtime_ns):
        part = file.parent.name
        for event in LegacyEventFileLoader(str(file)).Load():
            if event.session_log.status == SessionLog.START:
                found = {
                    key: value for key, value in found.items() if key[0].split("/")[0] != part or key[1] < event.step
                }
            for value in event.summary.value:
                if value.HasField("simple_value") and not any(word in value.tag for word in TIMED):
                    found[f"{part}/{value.tag}", event.step] = value.simple_value
    return found


def _hashes(manifest: Any) -> dict[str, str]:
    return {name: file["sha256"] for name, file in manifest.files.items()}
