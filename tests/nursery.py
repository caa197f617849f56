"""Processes that start at once: copies of one process that has imported kt2t, keras and TensorFlow and has run nothing yet.

TensorFlow cannot be copied once its runtime has started, so the process that is copied only imports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARENT = """
import json, os, sys
from kt2t.cli.main import main
from kt2t.cli.quiet import import_keras
import_keras(operation=False)
import kt2t.recipe_file, kt2t.run.train, kt2t.training.tensorflow_trainer
import toy_model
ended = {}
for line in sys.stdin:
    asked = json.loads(line)
    if "poll" in asked:
        if asked["poll"] not in ended:
            child, status = os.waitpid(asked["poll"], os.WNOHANG)
            ended.update({child: os.waitstatus_to_exitcode(status)} if child else {})
        print(json.dumps(ended.get(asked["poll"])), flush=True)
    elif child := os.fork():
        print(child, flush=True)
    else:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["kt2t", *asked["words"]]
        exec(asked["code"], {"__name__": "__main__"})
        sys.exit(0)
"""
MAIN = "import sys; from kt2t.cli.main import main; main(sys.argv[1:])"


class Nursery:
    """The process of which others are copies.

    Args:
        folder: For what the copies print.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.born = 0
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-c", PARENT], **pipes)

    def start(self, *words: str, code: str = MAIN, environment: Mapping[str, str] | None = None) -> Child:
        """A copy that runs some code, in this process's working folder and environment.

        Args:
            words: `sys.argv[1:]` of the code.
            code: The command `kt2t` unless given.
            environment: Further variables.
        """
        self.born += 1
        out, err = (self.folder / f"{self.born}.{name}" for name in ("out", "err"))
        told = {"words": words, "code": code, "folder": os.getcwd(), "out": str(out), "err": str(err)}
        return Child(self, self.ask(**told, environment={**os.environ, **(environment or {})}), out, err)

    def ask(self, **asked: Any) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


class Child:
    """A copy, with what a test asks of a `subprocess.Popen`."""

    def __init__(self, nursery: Nursery, pid: int, out: Path, err: Path) -> None:
        self.nursery, self.pid, self.out, self.err = nursery, pid, out, err
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status once it has ended; minus the number of a signal that ended it."""
        if self.returncode is None:
            self.returncode = self.nursery.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float = 600) -> int:
        last = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < last, f"still running after {timeout} s: {self.stderr()[-2000:]}"
            time.sleep(0.01)
        return self.returncode or 0

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stdout(self) -> str:
        return self.out.read_text(encoding="utf-8") if self.out.exists() else ""

    def stderr(self) -> str:
        return self.err.read_text(encoding="utf-8") if self.err.exists() else ""
