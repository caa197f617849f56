"""kt2t in a race: a Transformer that is built once and then takes steps when told, so that toolkits can take turns.

    python benchmarks/race_worker.py --task train --dtype float32             # by itself: seconds a step, peak memory
    python benchmarks/race_worker.py --task decode --beam 4 --serve           # as one of several

With `--serve` it prints `READY {…}` after its first steps, then answers each line `run N` on stdin with one line of JSON: the
seconds of N steps, the cores that it and others took meanwhile, its peak memory; `quit` ends it.

A training step is of `fit` on 32 pairs of 32 + 32 tokens without padding, dropout 0.1, label smoothing 0.1, Adam, until its
loss is on the host. A decoding step gives 32 sources of 32 tokens exactly 32 tokens each: the end is forbidden. `base` is
6 + 6 layers of 512, 2048 and 8 heads; all texts share 8,192 ids. `--dtype bfloat16` is mixed_bfloat16; `auto` is what a
recipe takes here.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

from measure import record  # noqa: E402

SIZES = {
    "base": {"num_layers": 6, "hidden_dim": 512, "intermediate_dim": 2048, "num_heads": 8, "dropout": 0.1},
    "small": {"num_layers": 2, "hidden_dim": 256, "intermediate_dim": 1024, "num_heads": 4, "dropout": 0.1},
    "tiny": {"num_layers": 1, "hidden_dim": 64, "intermediate_dim": 128, "num_heads": 2, "dropout": 0.1},
}
ROWS = {"base": 32, "small": 64, "tiny": 4}
LENGTH, VOCABULARY, FIRST, BATCHES = 32, 8192, 4, 8
Steps = Callable[[int], list[float]]


def batches(rows: int) -> list[tuple[Any, Any, Any]]:
    import numpy as np

    chance = np.random.default_rng(1)
    found = []
    for _ in range(BATCHES):
        inputs, targets = (chance.integers(FIRST, VOCABULARY, (rows, LENGTH)).astype("int32") for _ in range(2))
        ones = np.ones((rows, LENGTH), "int32")
        features = {"inputs": inputs, "inputs_segments": ones, "targets": targets, "targets_segments": ones}
        found.append((features, targets, ones.astype("float32")))
    return found


def training(model: Any, rows: int) -> Steps:
    """Steps of `fit`, each timed from the beginning of its batch to its loss on the host."""
    import keras
    import tensorflow as tf

    import kt2t
    from kt2t.training.optimizers.adam import Adam

    parts = [tf.data.Dataset.from_tensors(batch) for batch in batches(rows)]
    data = parts[0]
    for part in parts[1:]:
        data = data.concatenate(part)
    data = data.repeat().prefetch(2)
    loss = kt2t.losses.CrossEntropy(label_smoothing=0.1)
    model.compile(Adam(1e-4, beta_2=0.98), loss=loss, metrics_in_training=False, jit_compile=False)

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.seconds: list[float] = []

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.begun = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            float(logs["loss"])
            self.seconds.append(time.perf_counter() - self.begun)

    def steps(count: int) -> list[float]:
        clock = Clock()
        model.fit(data, steps_per_epoch=count, verbose=0, callbacks=[clock])
        return clock.seconds

    return steps


def decoding(model: Any, rows: int, beams: int) -> Steps:
    """Batches decoded by greedy or beam search, ids on the host."""
    import kt2t

    search = kt2t.decoding.Beam(beams=beams, length_penalty=0.6) if beams > 1 else kt2t.decoding.Greedy()
    sources = itertools.cycle([{"inputs": features["inputs"]} for features, _, _ in batches(rows)])

    def steps(count: int) -> list[float]:
        seconds = []
        for _ in range(count):
            begun = time.perf_counter()
            ids = model.generate(next(sources), search, length=LENGTH)["ids"]
            seconds.append(time.perf_counter() - begun)
            if ids.shape[2] != LENGTH or not (ids[:, 0] > 1).all():
                raise SystemExit(f"decoded {ids.shape[2]} tokens, or an end among them, where {LENGTH} were asked for")
        return seconds

    return steps


def built(asked: argparse.Namespace) -> tuple[Any, Steps]:
    import keras
    from keras import ops

    import kt2t
    from kt2t.features import END, Text
    from kt2t.training.precision import precision

    class Endless(kt2t.models.Transformer):
        """Never predicts the end."""

        def step(self, *arguments: Any) -> Any:
            logits, cache = super().step(*arguments)
            return ops.where(ops.arange(VOCABULARY) == END, ops.cast(-1e9, logits.dtype), logits), cache

    keras.utils.set_random_seed(1)
    dtype = precision({"bfloat16": "mixed_bfloat16"}.get(asked.dtype, asked.dtype))
    keras.config.set_dtype_policy(dtype)
    features = {"inputs": Text(VOCABULARY), "targets": Text(VOCABULARY)}
    rows = asked.batch or ROWS[asked.config]
    if asked.task == "train":
        model = kt2t.models.Transformer(features, **SIZES[asked.config])
        model.build()
        return model, training(model, rows)
    model = Endless(features, **SIZES[asked.config])
    model.build()
    return model, decoding(model, rows, asked.beam)


def watched(steps: Steps, count: int) -> dict[str, Any]:
    """The seconds of some steps, and who used the machine meanwhile."""
    busy, own, faults, begun = (
        _busy(),
        os.times(),
        resource.getrusage(resource.RUSAGE_SELF).ru_minflt,
        time.perf_counter(),
    )
    seconds = steps(count)
    wall = max(time.perf_counter() - begun, 1e-9)
    now = os.times()
    user, system = now.user - own.user, now.system - own.system
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "times": [round(one, 6) for one in seconds],
        "wall": round(wall, 4),
        "own_cores": round((user + system) / wall, 3),
        "sys_cores": round(system / wall, 3),
        "foreign_cores": round(max(0.0, _busy() - busy - user - system) / wall, 3),
        "faults_per_step": round((after.ru_minflt - faults) / count),
        "peak_rss_mb": round(after.ru_maxrss / 1024, 1),
    }


def _busy() -> float:
    """Seconds that the cores of this machine have worked; those of this process where the system does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except OSError:
        return time.process_time()
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["train", "decode"], default="train")
    parser.add_argument("--config", choices=SIZES, default="base")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "auto"], default="float32")
    parser.add_argument("--beam", type=int, default=4, help="Beams; 1 is greedy.")
    parser.add_argument("--batch", type=int, default=0, help="Rows, in place of the configuration's.")
    parser.add_argument("--steps", type=int, default=10, help="How many, without --serve.")
    parser.add_argument("--variant", default="", help="Only to be told apart by.")
    parser.add_argument("--serve", action="store_true", help="Take steps when told.")
    asked = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no result
    model, steps = built(asked)
    steps(1)
    head = {
        "to_first_step_s": round(time.perf_counter() - STARTED, 2),
        "params_m": round(model.count_params() / 1e6, 3),
    }
    steps(1)
    if not asked.serve:
        found = watched(steps, asked.steps)
        times = found.pop("times")
        best = {"median_s": round(statistics.median(times), 4), "least_s": min(times)}
        sys.stdout = out
        kind = asked.dtype if asked.task == "train" else f"{asked.beam} beams"
        record(f"race_{asked.task}", **{f"{asked.config}, {kind}": {**best, **head, **found}})
        return
    print("READY " + json.dumps(head), file=out, flush=True)
    for line in sys.stdin:
        word, *count = line.split() or ["quit"]
        if word != "run":
            break
        print(json.dumps(watched(steps, int(count[0]))), file=out, flush=True)


if __name__ == "__main__":
    main()
