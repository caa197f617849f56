"""What kt2t's trainer costs: its `fit` against that of `keras.Model`, and two replicas against one.

    python benchmarks/trainer_overhead.py plain [pairs] [cpu]      # one device: seconds of kt2t over seconds of Keras
    python benchmarks/trainer_overhead.py replicas [pairs] [cpu]   # seconds of two mirrored replicas over those of one

Both sides train the same layers on the same batches with the same optimizer, without a compiler, in one process and in turns
of 10 steps. The model is a stack of 4 blocks of attention and feed-forward network of width 256 on 16 rows of 64 tokens. The
two replicas are two logical CPUs, which have the same cores as the one. With `cpu` the seconds are those that cores worked for
this process: less truth, but steadier where others use the machine.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from measure import in_turns, record, spread

from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer

STEPS, ROWS, LENGTH, WIDTH, IDS = 10, 16, 64, 256, 4000
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def body() -> keras.Model:
    """The layers, all of them Keras's own."""
    ids = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Embedding(IDS, WIDTH)(ids)
    for _ in range(4):
        y = keras.layers.LayerNormalization()(x)
        x = x + keras.layers.Dropout(0.1)(keras.layers.MultiHeadAttention(4, WIDTH // 4)(y, y, use_causal_mask=True))
        y = keras.layers.Dense(4 * WIDTH, activation="relu")(keras.layers.LayerNormalization()(x))
        x = x + keras.layers.Dropout(0.1)(keras.layers.Dense(WIDTH)(y))
    return keras.Model(ids, keras.layers.Dense(IDS)(x))


class Plain(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.body = body()

    def call(self, ids: Any, training: bool | None = None) -> Any:
        return self.body(ids, training=training)


class Ours(Trainer):
    def __init__(self) -> None:
        super().__init__()
        self.body = body()

    def call(self, ids: Any, training: bool | None = None) -> Any:
        return self.body(ids, training=training)


def measured(
    clock: Callable[[], float], kind: type[keras.Model], ids: np.ndarray, scope: Any = None
) -> Callable[[], float]:
    """A function that trains a new model on, and gives the seconds of a step."""
    data = tf.data.Dataset.from_tensors((ids[:, :-1], ids[:, 1:])).repeat().prefetch(2)
    keras.utils.set_random_seed(1)
    with scope or contextlib.nullcontext():
        model = kind()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-4), loss=loss, jit_compile=False)

    def train() -> float:
        begun = clock()
        model.fit(data, steps_per_epoch=STEPS, verbose=0)
        return (clock() - begun) / STEPS

    train()
    return train


def main(what: str = "", pairs: str = "15", clock: str = "wall") -> None:
    if what not in ("plain", "replicas") or clock not in CLOCKS:
        raise SystemExit(__doc__)
    if what == "replicas":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    ids = np.random.default_rng(0).integers(0, IDS, (ROWS, LENGTH + 1)).astype("int32")
    if what == "plain":
        names, sides = ("kt2t", "Keras"), (measured(CLOCKS[clock], Ours, ids), measured(CLOCKS[clock], Plain, ids))
    else:
        names = ("two replicas", "one")
        sides = (measured(CLOCKS[clock], Ours, ids, strategy_scope("mirrored")), measured(CLOCKS[clock], Ours, ids))
    first, second, ratios = in_turns(*sides, int(pairs))
    text = f"{spread(ratios)} times {names[1]}'s time"
    found = {
        f"{names[0]}, ms": round(1000 * first, 1),
        f"{names[1]}, ms": round(1000 * second, 1),
        "ratio": spread(ratios),
    }
    record("trainer_overhead", {"result": text} if what == "plain" else {}, **{what: found})


if __name__ == "__main__":
    main(*sys.argv[1:])
