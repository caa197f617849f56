"""How long one waits for kt2t: for help, for the answer to a wrong key, for the first step of training, for an answer.

    python benchmarks/start_up.py [times]
    python benchmarks/start_up.py [times] RUN    # only the first answer of this run, with the processor's seconds

Prints the least seconds of several processes, from the command to its end or, in training, to the line that tells of the first
step. `quickstart` begins in an empty folder and makes its data; it is then stopped. The first answer is that of `kt2t predict`
to one line; the run is a `quickstart` of 50 steps.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from measure import least, record

KT2T = [sys.executable, "-m", "kt2t"]


def until_end(*arguments: str, status: int) -> None:
    """Runs a command; SystemExit where it does not end as expected."""
    done = subprocess.run([*KT2T, *arguments], capture_output=True, text=True)
    if done.returncode != status:
        raise SystemExit(f"kt2t {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")


def until_first_step() -> None:
    """Runs `quickstart` until it tells of its first step."""
    with tempfile.TemporaryDirectory() as folder:
        words, environment = ["train", "quickstart", "--run-dir", f"{folder}/run"], {"KT2T_DATA": f"{folder}/data"}
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen([*KT2T, *words], env={**os.environ, **environment}, **pipes) as process:
            told = next((line for line in process.stderr if line.startswith("first step")), "")
            process.kill()
    if not told:
        raise SystemExit("quickstart ended before its first step")


def trained(folder: str) -> str:
    """A `quickstart` of 50 steps in `folder`; returns the run folder."""
    run = os.path.join(folder, "run")
    until_end("train", "quickstart", "train.steps=50", "report.every=50", "--run-dir", run, "--data-dir", folder, status=0)
    return run


def until_first_answer(run: str) -> None:
    """Runs `kt2t predict` until it has answered a line."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*KT2T, "predict", run], **pipes) as process:
        process.stdin.write(b"forty two\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        process.kill()
    if not answer.endswith(b"\n"):
        raise SystemExit(f"kt2t predict {run} gave no answer")


def main(times: int = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = trained(folder)
        found = {
            "kt2t --help": least(lambda: until_end("--help", status=0), times),
            "kt2t explain": least(lambda: until_end("explain", "quickstart", "model.num_head=4", status=2), times),
            "first step": least(until_first_step, times),
            "first answer": least(lambda: until_first_answer(run), times),
        }
    cells = {
        "on the same machine": "`kt2t --help`; `kt2t explain` of a wrong key; the first step of `quickstart`; the first "
        "answer of `kt2t predict`",
        "result": "{:.2f} s; {:.2f} s; {:.1f} s; {:.1f} s after the command".format(*found.values()),
    }
    record("start_up", cells, **{what: round(wait, 2) for what, wait in found.items()})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
