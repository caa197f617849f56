"""Steps of a recurrence with random weights, outside any stack."""

from __future__ import annotations

from typing import Any

import numpy as np
from harness import numbers

from kt2t.layers import AdaptiveRecurrence

DIM, STEPS = 4, 3
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 3, DIM)).astype("float32")
MADE = RANDOM.normal(size=(STEPS, 2, 3, DIM)).astype("float32")  # what the blocks of each step make


def prepared(recurrence: Any) -> Any:
    """The recurrence, made for a width of 4 and 3 steps, with random weights."""
    recurrence.prepare(DIM, STEPS, None, 0.0)
    for weight in recurrence.weights:
        weight.assign(np.random.default_rng(len(weight.shape)).normal(size=tuple(weight.shape)).astype("float32"))
    return recurrence


def run(recurrence: Any, real: Any = None, segments: Any = None, watched: bool = False) -> np.ndarray:
    """The output after three steps, whose blocks make `MADE` of whatever they read."""
    carried = recurrence.begin(X)
    for step in range(STEPS):
        recurrence.read(carried, step)
        carried = recurrence(carried, X + step, MADE[step], segments=segments, step=step)
    return numbers(recurrence.result(carried, real, watched))


def norm(x: np.ndarray, layer: Any) -> np.ndarray:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.epsilon)
    return x * numbers(layer.scale) + numbers(layer.shift)


def dense(x: np.ndarray, layer: Any) -> np.ndarray:
    return x @ numbers(layer.kernel) + numbers(layer.bias)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_hand(probabilities, running_mean=True):
    """Output, number of steps and rest of one position, from its probabilities: Graves 2016, equations 5 to 9."""
    total, output, steps = 0.0, 0.0, 0
    for step, p in enumerate(probabilities):
        ends = total + p > 0.99
        weight = 1 - total if ends else p
        output = weight * step_value(step) + (output * (1 - weight) if running_mean else output)
        steps += 1
        if ends:
            return output, steps, weight
        total += p
    return output, steps, 0.0


def step_value(step):
    return 10.0 ** (step + 1)


class Known(AdaptiveRecurrence):
    """Halts with given probabilities, (steps, batch, time)."""

    def probability(self, x, segments=None, training=None):
        self.step = getattr(self, "step", -1) + 1
        return self.table[self.step]


def halted(cls, table):
    """The final output of each position, whose blocks make 10, 100 and 1,000, and the layer."""
    layer = type("Halts", (Known, cls), {})()
    layer.table = np.asarray(table, "float32")
    x = np.zeros((*layer.table.shape[1:], 1), "float32")
    carried = layer.begin(x)
    for step in range(len(layer.table)):
        carried = layer(carried, x, x + step_value(step), step=step)
    return numbers(layer.result(carried, None, True))[..., 0], layer


TABLE = [[[0.2, 0.995, 0.5]], [[0.3, 0.5, 0.5]], [[0.1, 0.5, 0.5]]]
