"""How long one waits for kt2t: for help, for the answer to a wrong key, and for the first step of training.

    python benchmarks/start_up.py [times]

Prints the least seconds of several processes, from the command to its end or, in training, to the line that tells of the first
step. `quickstart` begins in an empty folder and makes its data; it is then stopped.
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


def main(times: int = 5) -> None:
    found = {
        "kt2t --help": least(lambda: until_end("--help", status=0), times),
        "kt2t explain": least(lambda: until_end("explain", "quickstart", "model.num_head=4", status=2), times),
        "first step": least(until_first_step, times),
    }
    cells = {"result": "{:.2f} s; {:.2f} s; {:.1f} s after the command".format(*found.values())}
    record("start_up", cells, **{what: round(wait, 2) for what, wait in found.items()})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
