"""A race: kt2t beside other toolkits, each built once in a process of its own, then taking turns of some steps.

    python benchmarks/race.py --contestants kt2t keras_hub                   # training steps; --dtype bfloat16
    python benchmarks/race.py --task decode --beam 4                         # kt2t alone; one beam is greedy
    python benchmarks/race.py --add 'OpenNMT-tf 2.32=PYTHON FILE'            # a worker of the same form around another toolkit
    python benchmarks/race.py --config long --contestants kt2t recomputing   # peak memory; `short` needs as much for itself
    python benchmarks/race.py --config small --contestants under_trainer keras_hub --rounds 40    # what kt2t's trainer costs
    python benchmarks/race.py --config gpu_base --dtype bfloat16 --queued \\
        --add 'torch=env -u PYTHONPATH PYTHON benchmarks/race.py --contestants torch'

A training step is forward, backward and Adam, with dropout and label smoothing 0.1, on full rows of random ids. `base` is 6 + 6
layers of 512, 2048 and 8 heads on 32 pairs of 32 + 32 tokens of 8,192; `gpu_base` has 128 pairs of 128 + 128 tokens of 32,768,
and `gpu_big` 1024, 4096, 16 heads, dropout 0.3 and 64 pairs; these two run on JAX. A step ends with its loss on the host, as
callbacks of a run ask for it; with `--queued` no step waits for the one before. A decoding step gives each source exactly as
many tokens as it has: the end is forbidden. kt2t masks by segments and looks for numbers that are not finite, as always.

A worker gets `--serve` and the options of the race. It prints `READY {…}` after its first steps, then answers each line `run N`
on stdin with a line of JSON: the seconds of N steps, and its peak memory; `quit` ends it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from typing import Any

from contestants import CONTESTANTS, SIZES
from measure import STARTED, clock, record


def serve(asked: argparse.Namespace, out: Any) -> None:
    """A contestant in this process, which takes steps when told."""
    contestant = CONTESTANTS[asked.contestants[0]](SIZES[asked.config], asked.dtype)
    steps = contestant.train(not asked.queued) if asked.task == "train" else contestant.decode(asked.beam)
    steps(1)
    head = {"to_first_step_s": clock() - STARTED, "params_m": contestant.parameters / 1e6, "label": contestant.label}
    steps(1)
    print("READY " + json.dumps(head), file=out, flush=True)
    for line in sys.stdin:
        if not line.startswith("run "):
            break
        times = steps(int(line.split()[1]))
        print(json.dumps({"times": times, "peak_rss_mb": contestant.peak_mb()}), file=out, flush=True)


class Worker:
    """A contestant in a process of its own, as the race sees it. EOFError tells that it has ended instead of answering."""

    def __init__(self, name: str, command: list[str], asked: argparse.Namespace) -> None:
        words = [f"--{option}={getattr(asked, option)}" for option in ("task", "config", "dtype", "beam")]
        words += ["--serve", *(["--queued"] if asked.queued else [])]
        # JAX takes a share of the memory at its start; the rest is for the others.
        gpu = {"KERAS_BACKEND": "jax", "XLA_CLIENT_MEM_FRACTION": "0.6"} if asked.config.startswith("gpu") else {}
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **gpu, **os.environ}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process, self.turns = subprocess.Popen([*command, *words], env=environment, **pipes), []
        self.head = self.answer()
        self.label = self.head.get("label", name)

    def take(self, steps: int) -> None:
        print(f"run {steps}", file=self.process.stdin, flush=True)
        self.turns.append(self.answer())

    def answer(self) -> Any:
        if line := self.process.stdout.readline():
            return json.loads(line.removeprefix("READY "))
        raise EOFError(f"{self.process.args} ended with status {self.process.wait()}")

    def result(self, asked: argparse.Namespace) -> dict[str, Any]:
        """Lets it go, and sums up its turns."""
        self.process.communicate("quit\n")
        times, size = [one for turn in self.turns for one in turn["times"]], SIZES[asked.config]
        median = statistics.median(times)
        return {
            "median_s": round(median, 5),
            "least_s": round(min(times), 5),
            "target_tokens_per_second": round(size.rows * size.length / median),
            "peak_mb": round(self.turns[-1]["peak_rss_mb"]),
            "first_step_after_s": round(self.head["to_first_step_s"], 1),
            "parameters_m": round(self.head["params_m"] or 0, 3),
            "turns_ms": [round(1000 * statistics.median(turn["times"]), 2) for turn in self.turns],
        }


def keep(label: str, found: dict[str, Any], asked: argparse.Namespace) -> None:
    """Records a result, in a row of its table if its size is published."""
    seconds, size = f"{found['median_s']:.3f} ({found['least_s']:.3f})", SIZES[asked.config]
    figure, row, cells = f"race_{asked.task}", label, {}
    if asked.config.startswith("gpu"):
        figure, row = "gpu_race", f"{asked.config[4:]}, {size.rows * size.length:,} target tokens"
        text = f"{1000 * found['median_s']:.1f} ms, {found['target_tokens_per_second']:,} tokens/s"
        cells = {"kt2t on JAX" if label == "kt2t" else label: text}
    elif asked.config in ("short", "long", "small"):
        figure = "trainer_overhead" if asked.config == "small" else "memory"
    elif asked.config == "base" and asked.task == "train":
        row, first = f"{label}, {asked.dtype}", f"{found['first_step_after_s']:.0f} s"
        cells = {"seconds": seconds, "peak MB": f"{found['peak_mb']:,}", "first step after": first}
    elif asked.config == "base" and asked.beam in (1, 4):
        search = "greedy" if asked.beam == 1 else "beam 4"
        cells = {f"{search}: seconds": seconds, f"{search}: sentences/s": f"{size.rows / found['median_s']:.1f}"}
    kind = asked.dtype if asked.task == "train" else f"{asked.beam} beams"
    record(figure, cells, row, **{f"{label}, {asked.config}, {kind}": found})


def race(asked: argparse.Namespace) -> None:
    """Lets all take their turns. A contestant that fails is reported, and the others go on."""
    commands = {name: [sys.executable, __file__, "--contestants", name] for name in asked.contestants}
    commands |= {name: shlex.split(command) for name, _, command in (one.partition("=") for one in asked.add)}
    workers: dict[str, Worker] = {}
    for turn in range(1 + asked.rounds):
        for name in list(commands)[:: 1 if turn % 2 == 0 else -1]:
            try:
                if turn == 0:  # one after the other: compilers time kernels
                    workers[name] = Worker(name, commands[name], asked)
                else:
                    workers[name].take(asked.steps)
            except (EOFError, BrokenPipeError) as error:
                print(json.dumps({"failed": name, "error": str(error)}), flush=True)
                del commands[name]
    for name in commands:
        keep(workers[name].label, workers[name].result(asked), asked)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["train", "decode"], default="train")
    parser.add_argument("--config", choices=SIZES, default="base")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "auto"], default="float32")
    parser.add_argument("--beam", type=int, default=4, help="Beams; 1 is greedy.")
    parser.add_argument("--queued", action="store_true", help="No step waits for the loss of the one before.")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=["kt2t"])
    parser.add_argument("--add", action="append", default=[], metavar="NAME=COMMAND", help="Another toolkit's worker.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="Of each turn.")
    parser.add_argument("--serve", action="store_true", help="Be a worker: the first contestant.")
    asked = parser.parse_args()
    if asked.serve:
        out, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no result
        serve(asked, out)
    else:
        race(asked)
