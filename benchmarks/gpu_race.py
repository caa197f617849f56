"""Training steps on a GPU: kt2t on JAX beside a plain PyTorch Transformer of the same shape, each in a process, in turns.

    python benchmarks/gpu_race.py                     # base, then big; a line of JSON for each contestant and size
    python benchmarks/gpu_race.py --sizes tiny --torch-python OTHER/bin/python    # a try without a GPU

A step is forward, backward and Adam in bfloat16 with float32 weights, on source and target of 128 tokens each, full rows of
random ids: 16,384 target tokens for `base` (6 + 6 layers of 512, 2048 and 8 heads, dropout 0.1), 8,192 for `big` (1024, 4096,
16, dropout 0.3); one table of 32,768 rows, pre-norm, sinusoids, label smoothing 0.1, the same dropout of what each sublayer
gives, of inner units and of attention weights. kt2t is `models.Transformer` with `compile` and `fit`, on KERAS_BACKEND=jax.
PyTorch is `torch.compile` of the model below with `scaled_dot_product_attention` and fused Adam. kt2t masks by segments and
looks for numbers that are not finite, as always; PyTorch is spared both, since no row is padded.

Every turn of some steps is taken in three ways. `queued`: batches come from the host as NumPy arrays, and no step waits for the
one before; `watched`: the loss is read after every step, as by callbacks; `resident`: as queued, but the batches lie on the
device. For kt2t the first two are `fit`. The figures are of `queued`; what it has more than `resident` is overhead of the host,
and `dispatch_ms` is how long the host takes to give the device one step. Model FLOP are counted by formula (`Size.flop`), and
held against what the same library reaches in a product of two matrices of 8192 × 8192 in bfloat16. The loss is the last one:
kt2t's is less by the entropy of its smoothed targets.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from gpu_contestants import CONTESTANTS, SIZES, Size
from measure import record

WAYS = ("queued", "watched", "resident")
MATRIX, UNTIMED = 8192, 3
Seconds = dict[str, float]


def gemm(contestant: Any) -> float:
    """FLOP/s of a product of square matrices: the best of three groups of ten, after three."""
    width = MATRIX if contestant.on_gpu else 256
    run = contestant.multiply(width)
    run(3)
    best = min(_timed(run, 10) for _ in range(3))
    return 2 * width**3 * 10 / best


def _timed(run: Callable[[int], None], count: int) -> float:
    begun = time.perf_counter()
    run(count)
    return time.perf_counter() - begun


def serve(name: str, size: Size, out: Any) -> None:
    """A contestant in this process: answers each line of stdin with one of JSON."""
    contestant = CONTESTANTS[name](size)
    print(json.dumps({"parameters": contestant.parameters, "version": contestant.version}), file=out, flush=True)
    for line in sys.stdin:
        word, *more = line.split()
        answer: dict[str, Any] = {}
        if word == "warm":
            answer["gemm"] = gemm(contestant)
            answer["first_step_s"] = _timed(lambda count: contestant.take("queued", count), 1)
            for way in WAYS:
                contestant.take(way, 2)
        elif word == "take":
            contestant.take("resident", UNTIMED)
            answer = {way: contestant.take(way, int(more[0])) for way in WAYS}
        elif word == "peak":
            answer["peak"] = contestant.peak()
        print(json.dumps(answer), file=out, flush=True)


class Worker:
    """A contestant in a process of its own, as the race sees it."""

    def __init__(self, name: str, size: str, asked: argparse.Namespace) -> None:
        self.name = name
        python = asked.torch_python if name == "torch" else sys.executable
        command = [python, __file__, "--serve", name, "--sizes", size, *asked.drop]
        # JAX takes a share of the memory at its start; the rest is for PyTorch.
        environment = {"KERAS_BACKEND": "jax", "XLA_CLIENT_MEM_FRACTION": "0.6", **os.environ}
        if name == "torch":  # what is there for JAX alone, such as another optree, is not to change how PyTorch traces
            environment.pop("PYTHONPATH", None)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self.turns: dict[str, list[Seconds]] = {way: [] for way in WAYS}
        self.facts: dict[str, Any] = {}

    def answer(self) -> dict[str, Any]:
        """What it says next.

        Raises:
            EOFError: It has ended.
        """
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise EOFError(f"{self.name} ended with status {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, line: str) -> dict[str, Any]:
        """Tells it something and waits for the answer."""
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                print(line, file=self.process.stdin, flush=True)
        return self.answer()

    def take(self, steps: int) -> None:
        """Its turn."""
        for way, seconds in self.ask(f"take {steps}").items():
            self.turns[way].append(seconds)

    def end(self) -> None:
        """Lets it go."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()


def result(worker: Worker, name: str, size: Size) -> dict[str, Any]:
    """The line of a contestant."""
    seconds = {way: [turn["seconds"] for turn in worker.turns[way]] for way in WAYS}
    median = {way: statistics.median(seconds[way]) for way in WAYS}
    facts, rate = worker.facts, size.flop() / median["queued"]
    watched = worker.turns["watched"]
    return {
        "size": name,
        "contestant": worker.name,
        "seconds_median": round(median["queued"], 6),
        "seconds_min": round(min(seconds["queued"]), 6),
        "watched_median": round(median["watched"], 6),
        "resident_median": round(median["resident"], 6),
        "host_share": round(1 - median["resident"] / median["queued"], 4),
        "dispatch_ms": round(1000 * statistics.median(turn["dispatch"] for turn in watched), 3),
        "target_tokens_per_second": round(size.rows * size.length / median["queued"]),
        "model_tflop_per_second": round(rate / 1e12, 3),
        "gemm_tflop_per_second": round(facts["gemm"] / 1e12, 3),
        "share_of_gemm": round(rate / facts["gemm"], 4),
        "peak_gb": round(worker.facts["peak"] / 1e9, 2),
        "parameters_m": round(facts["parameters"] / 1e6, 3),
        "rows": size.rows,
        "dropout": size.dropout,
        "first_step_s": round(facts["first_step_s"], 1),
        "loss": round(watched[-1]["loss"], 4),
        "turns_ms": [round(1000 * one, 3) for one in seconds["queued"]],
        "version": facts["version"],
    }


def race(name: str, size: Size, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The lines of all contestants in one size. Who fails is told of, and the others go on."""
    workers = [Worker(contestant, name, asked) for contestant in asked.contestants]

    def each(act: Callable[[Worker], None], order: int = 1) -> None:
        for worker in list(workers)[::order]:
            try:
                act(worker)
            except EOFError as error:
                print(json.dumps({"size": name, "contestant": worker.name, "failed": str(error)}), flush=True)
                workers.remove(worker)

    each(lambda worker: worker.facts.update(worker.answer()))
    each(lambda worker: worker.facts.update(worker.ask("warm")))  # one after the other: compilers time kernels
    for number in range(asked.rounds):
        each(lambda worker: worker.take(asked.steps), order=1 if number % 2 == 0 else -1)
    each(lambda worker: worker.facts.update(worker.ask("peak")))
    yield from (result(worker, name, size) for worker in workers)
    each(Worker.end)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["base", "big"])
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30, help="Of each way in each turn.")
    parser.add_argument("--dropout", type=float, help="In place of the size's.")
    parser.add_argument("--torch-python", default=sys.executable, help="What runs PyTorch.")
    parser.add_argument("--serve", choices=CONTESTANTS, help="Be a contestant: used by the race itself.")
    asked = parser.parse_args()
    asked.drop = [] if asked.dropout is None else ["--dropout", str(asked.dropout)]
    given = {} if asked.dropout is None else {"dropout": asked.dropout}
    sizes = {name: Size(**{**vars(SIZES[name]), **given}) for name in asked.sizes}
    if asked.serve:
        out, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no result
        serve(asked.serve, sizes[asked.sizes[0]], out)
        return
    for name, size in sizes.items():
        for line in race(name, size, asked):
            record("gpu_race", **{f"{name}, {line['contestant']}": line})


if __name__ == "__main__":
    main()
