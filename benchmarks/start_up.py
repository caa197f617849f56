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


def trained(folder: str) -> str:
    """A `quickstart` of 50 steps in `folder`; returns the run folder."""
    run = os.path.join(folder, "run")
    options = ["train.steps=50", "report.every=50", "--run-dir", run, "--data-dir", os.path.join(folder, "data")]
    done = subprocess.run([*KT2T, "train", "quickstart", *options], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"quickstart ended with {done.returncode}: {done.stderr}")
    return run


def until_first_answer(run: str) -> tuple[float, float]:
    """Seconds until `kt2t predict` has answered a line, and seconds of all processors until then."""
    begun = time.perf_counter()
    process = subprocess.Popen([*KT2T, "predict", run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(b"forty two\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    seconds = time.perf_counter() - begun
    process.kill()
    _, _, used = os.wait4(process.pid, 0)
    if not answer.endswith(b"\n"):
        raise SystemExit(f"kt2t predict {run} gave no answer: {(process.stderr or process.stdout).read().decode()}")
    return seconds, used.ru_utime + used.ru_stime


def main(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = trained(folder)
        answer = round(min(until_first_answer(run)[0] for _ in range(times)), 2)
    waits = {
        "kt2t --help": lambda: until_end("--help", status=0),
        "kt2t explain": lambda: until_end("explain", "quickstart", "model.num_head=4", status=2),
        "first step": until_first_step,
    }
    least = {what: round(min(measure() for _ in range(times)), 2) for what, measure in waits.items()}
    one, other, first = least.values()
    cells = {
        "on the same machine": "`kt2t --help`; `kt2t explain` of a wrong key; the first step of `quickstart`; the first "
        "answer of `kt2t predict`",
        "result": f"{one} s; {other} s; {first:.1f} s; {answer:.1f} s after the command",
    }
    record("start_up", cells, **least, **{"first answer": answer})


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if len(sys.argv) > 2:
        for _ in range(times):
            seconds, used = until_first_answer(sys.argv[2])
            print(f"first answer after {seconds:.2f} s, with {used:.2f} s of processors")
    else:
        main(times)
