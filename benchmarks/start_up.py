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
import time

from measure import record

KT2T = [sys.executable, "-m", "kt2t"]


def until_end(*arguments: str, status: int) -> float:
    """Seconds until a command ends; SystemExit where it does not end as expected."""
    begun = time.perf_counter()
    done = subprocess.run([*KT2T, *arguments], capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    if done.returncode != status:
        raise SystemExit(f"kt2t {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return seconds


def until_first_step() -> float:
    """Seconds until `quickstart` tells of its first step."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*KT2T, "train", "quickstart", "--run-dir", os.path.join(folder, "run")],
            env={**os.environ, "KT2T_DATA": os.path.join(folder, "data")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = []
            for line in process.stderr or ():
                if line.startswith("first step"):
                    return time.perf_counter() - begun
                said.append(line)
        finally:
            process.kill()
            process.wait()
    raise SystemExit(f"quickstart ended before its first step: {''.join(said)}")


def main(times: int) -> None:
    waits = {
        "kt2t --help": lambda: until_end("--help", status=0),
        "kt2t explain": lambda: until_end("explain", "quickstart", "model.num_head=4", status=2),
        "first step": until_first_step,
    }
    least = {what: round(min(measure() for _ in range(times)), 2) for what, measure in waits.items()}
    one, other, first = least.values()
    record("start_up", {"result": f"{one} s; {other} s; {first:.1f} s after the command"}, **least)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
