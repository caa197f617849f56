"""How long one waits for kt2t: for help, the answer to a wrong key, the first step of training, the first answer of predict.

    python benchmarks/start_up.py [times]

Prints the least seconds of several processes. A training begins in an empty folder; the answers are those of a short training.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from measure import least, record

KT2T, QUICKSTART = [sys.executable, "-m", "kt2t"], ["train", "quickstart"]


def until_end(*arguments: str, status: int) -> None:
    """Runs a command; SystemExit where it does not end as expected."""
    done = subprocess.run([*KT2T, *arguments], capture_output=True, text=True)
    if done.returncode != status:
        raise SystemExit(f"kt2t {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")


def until_line(stream: str, start: str, *arguments: str) -> None:
    """Runs a command, with a line on stdin, until a line of its stdout or stderr begins with `start`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: subprocess.PIPE}
    with subprocess.Popen([*KT2T, *arguments], text=True, **pipes) as process:
        print("forty two", file=process.stdin, flush=True)
        if not any(line.startswith(start) for line in getattr(process, stream)):
            raise SystemExit(f"kt2t {' '.join(arguments)} ended without a line {start!r}")
        process.kill()


def until_first_step(folder: str) -> None:
    until_line("stderr", "first step", *QUICKSTART, "--run-dir", f"{folder}/run", "--data-dir", f"{folder}/data")


def main(times: int = 5) -> None:
    with tempfile.TemporaryDirectory() as run:
        until_end(*QUICKSTART, "train.steps=50", "report.every=50", "--run-dir", run, status=0)
        answer = least(lambda: until_line("stdout", "", "predict", run), times)
    told = least(lambda: until_end("--help", status=0), times)
    wrong = least(lambda: until_end("explain", "quickstart", "model.num_head=4", status=2), times)
    step = least(lambda: until_first_step(tempfile.mkdtemp()), times)
    cells = {"result": f"{told:.2f} s; {wrong:.2f} s; {step:.1f} s; {answer:.1f} s after the command"}
    record("start_up", cells, **{"kt2t --help": told, "kt2t explain": wrong, "first step": step, "first answer": answer})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
