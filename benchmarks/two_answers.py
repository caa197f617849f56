"""Half copy, half repeat-even: what a model does with inputs that have two right answers.

    python benchmarks/two_answers.py [steps]

A tagger, which chooses every position by itself, cannot agree with itself; a model that reads what it has written can.
Prints the share of answers that are one of the two, for the tagger, greedy decoding and sampling.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from measure import record

import kt2t
from kt2t.data.algorithmic.half_copy_half_repeat_even import HalfCopyHalfRepeatEven
from kt2t.features import Tags

LENGTH = 12
SIZES = {"num_layers": 2, "hidden_dim": 128, "intermediate_dim": 256, "num_heads": 4, "dropout": 0.0}


@kt2t.register
class HalfCopyTags(HalfCopyHalfRepeatEven):
    """The same task as one tag for each input symbol: inputs of even length, whose answers are as long as they are."""

    def features(self) -> dict[str, Any]:
        return {"inputs": super().features()["inputs"], "targets": Tags(self.symbols + 1)}

    def draw(self, chance: np.random.Generator, count: int, shortest: int, longest: int) -> list[np.ndarray]:
        return [row[: len(row) // 2 * 2] for row in super().draw(chance, count, max(2, shortest), longest)]


def trained(model: Any, problem: Any, steps: int) -> Any:
    factors = [
        kt2t.training.Constant(0.001),
        kt2t.training.LinearWarmup(200),
        kt2t.training.LinearToZero(steps, steps // 2),
    ]
    model.build()
    adam = keras.optimizers.Adam(kt2t.training.Product(factors), beta_2=0.98)
    model.compile(adam, loss=problem.loss(), metrics_in_training=False)
    model.fit(problem.batches("train", rows=128), steps_per_epoch=steps, verbose=2)
    return model


def accepted(problem: Any, answers: list[str]) -> dict[str, float]:
    score = problem.score(answers, problem.references("validation"))
    return {name: round(score[name], 4) for name in ("accepted", "copies", "repeats")}


def decoded(model: Any, problem: Any, search: Any) -> list[str]:
    from kt2t.callbacks.scoring import decode_split

    found = dict(decode_split(model, problem, "validation", search))
    return [found[number] for number in sorted(found)]


def tagged(model: Any, problem: Any) -> list[str]:
    answers: dict[int, str] = {}
    batches = problem.batches("validation", rows=64, shuffle=False)
    for plan, (features, _, weights) in zip(batches.plan.epoch(0), batches, strict=True):
        ids = np.argmax(keras.ops.convert_to_numpy(model(features)), -1) * (weights > 0)
        answers.update(
            {int(n): problem.decode("inputs", row) for n, row in zip(plan.indices, ids, strict=True) if n >= 0}
        )
    return [answers[number] for number in sorted(answers)]


def main(steps: int) -> None:
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        options = {"symbols": 10, "max_length": LENGTH, "evaluation_length": LENGTH, "validation_examples": 1000}
        tags, text = HalfCopyTags(**options), HalfCopyHalfRepeatEven(**options)
        for problem in (tags, text):
            problem.prepare(Path(folder))
        tagger = trained(kt2t.models.TransformerEncoder(tags.features(), **SIZES), tags, steps)
        found = {"tagger": accepted(tags, tagged(tagger, tags))}
        writer = trained(kt2t.models.Transformer(text.features(), **SIZES), text, steps)
        for name, search in (("greedy", kt2t.decoding.Greedy()), ("sampling", kt2t.decoding.Sample(seed=1))):
            found[name] = accepted(text, decoded(writer, text, search))
        record("two_answers", **found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
