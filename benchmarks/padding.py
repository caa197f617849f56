"""What batches of similar lengths are worth: real target tokens a second on Multi30k, against random pairs padded.

    python benchmarks/padding.py DIR [pairs]         # DIR holds the files of Multi30k

Prints how full kt2t's batches of 4,096 positions are, padded and packed in rows of 256; with 0 pairs, no more. Then the model
of `translation/multi30k_small` trains, in turns within one process, on kt2t's batches of 4,096 positions and on batches of 32
random pairs, padded to the longest. Prints the rates and the ratio; only tokens that are not padding count.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from measure import prepared, record, seconds

from kt2t.data.padding import collate
from kt2t.run.assemble import assemble

TOKENS = 20_000  # real target tokens of a turn, about


def random_pairs(problem: Any, rows: int) -> tf.data.Dataset:
    """Endless batches of random pairs, each padded to its longest."""
    records, chance = problem.prepared.records("train"), np.random.default_rng(1)
    features, targets, weight = problem.batches("train").signature()

    def batches() -> Iterator[Any]:
        while True:
            yield collate(records.read(chance.integers(0, len(records), rows)), problem.features())

    kinds = {name: tf.TensorSpec(*kind) for name, kind in features.items()}
    signature = (kinds, tf.TensorSpec(*targets), tf.TensorSpec(*weight))
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(8)


def rate(model: Any, data: Any, tokens_a_step: float) -> Callable[[], float]:
    """A function that trains a turn on some batches, and gives its real target tokens a second."""
    steps = max(1, round(TOKENS / tokens_a_step))

    def measure() -> float:
        before = model.tokens_seen
        spent = seconds(lambda: model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0))
        return (model.tokens_seen - before) / spent

    measure()
    return measure


def main(path: str, pairs: int = 9) -> None:
    recipe, problem = prepared("translation/multi30k_small", f"problem.path={Path(path).resolve()}")
    padded, packed = (problem.batches("train", tokens=4096, **given).plan.fill for given in ({}, {"pack": 256}))
    text = f"**{packed:.1%}** packed in rows of 256; {padded:.1%} padded"
    record("fill", {"reaches": text}, padded=padded, packed=packed)
    if not pairs:
        return
    model, batches = assemble(recipe, problem).model, problem.batches("train", tokens=4096)
    records = problem.prepared.records("train")
    rows, tokens = round(len(records) / len(batches)), float(records.lengths["targets"].mean())
    ours, theirs = rate(model, batches, rows * tokens), rate(model, random_pairs(problem, 32), 32 * tokens)
    # In turns, so that other work on the machine slows both down alike; who begins changes with every pair.
    both = [(ours(), theirs()) if number % 2 == 0 else (theirs(), ours())[::-1] for number in range(pairs)]
    first, second = (statistics.median(side) for side in zip(*both, strict=True))
    low, middle, high = statistics.quantiles([one / other for one, other in both], n=4)
    ratio = f"{middle:.2f} times as many (half of {pairs} pairs between {low:.2f} and {high:.2f})"
    text = f"**{first:,.0f}**; the same model with padded batches of 32 random pairs {second:,.0f}: {ratio}"
    record("padding", {"result": text}, **{"kt2t": round(first), "random pairs": round(second), "ratio": ratio})


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
