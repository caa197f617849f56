"""What recomputation saves: the peak memory and the time of a training step, with and without `recompute`.

    python benchmarks/memory.py [length]

A Transformer of 6 + 6 blocks in float32 on sequences of `length` (512) tokens, dropout on. Each setting is trained in
a process of its own, whose peak resident memory is told by the operating system; what the process needs for itself,
weights and slots is told by the same model on two tokens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from measure import peak_mb, record, seconds

ROWS = 8
SIZES = {"num_layers": 6, "hidden_dim": 256, "intermediate_dim": 1024, "num_heads": 4, "dropout": 0.1}
STEPS = 3


def measure(length: int, recompute: bool) -> dict[str, float]:
    """Peak memory in MB and seconds a step of one setting, in this process."""
    import keras
    import numpy as np

    import kt2t
    from kt2t.features import Text

    keras.utils.set_random_seed(1)
    model = kt2t.models.Transformer({"inputs": Text(256), "targets": Text(256)}, **SIZES, recompute=recompute)
    model.build()
    model.compile(keras.optimizers.Adam(1e-4), loss=kt2t.losses.CrossEntropy(), metrics_in_training=False)
    ids = np.random.default_rng(0).integers(2, 256, size=(ROWS * STEPS, length)).astype("int32")
    batch: dict[str, Any] = {"x": {"inputs": ids, "targets": ids}, "y": ids, "batch_size": ROWS, "verbose": 0}
    loss = model.fit(**batch).history["loss"][-1]  # compiles
    step = seconds(lambda: model.fit(**batch)) / STEPS
    return {"peak_mb": round(peak_mb()), "seconds": round(step, 2), "loss": float(loss)}


def main() -> None:
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    if len(sys.argv) > 2:
        print(json.dumps(measure(length, sys.argv[2] == "recompute")))
        return
    found = {}
    for kept in ("keep", "recompute"):
        for size in (2, length):
            command = [sys.executable, __file__, str(size), kept]
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
            found[f"{kept} {size} tokens"] = json.loads(done.stdout.strip().splitlines()[-1])
    record("memory", **found)


if __name__ == "__main__":
    main()
