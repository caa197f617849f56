"""One poisoned record among many: which steps are left out, what is said of them, and whether anything of it is saved.

    python -m tests.campaigns.poison [--records 10000] [--rows 100] [--epochs 3]

A small Transformer copies words; of one record what it says is not a number. Prints the steps that were left out and the
lines that name them, whether each batch holds the record, the numbers that are not finite in all checkpoints, and what
the trainer's looks cost: the time of one, and its share of the 16 steps between two, here and for `transformer_base`.
"""

from __future__ import annotations

import argparse
import logging
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from safetensors import safe_open

import kt2t
from kt2t.features import Text
from kt2t.recipe import Recipe
from kt2t.run.train import train
from kt2t.training.watching import EVERY


@kt2t.register
class PoisonedWords(kt2t.data.TextToText):
    """Words of letters, of which only the poisoned one has a z.

    Args:
        records: Training examples.
        poisoned: Which of them, from 0.
    """

    def __init__(self, records: int, poisoned: int) -> None:
        super().__init__()
        self.records = records
        self.poisoned = poisoned

    def examples(self, split: str) -> Iterator[dict[str, str]]:
        chance = np.random.default_rng(0)
        for number in range(self.records if split == "train" else 100):
            word = "".join(chance.choice(list("abcdefgh"), 6))
            word = "zzzzzz" if split == "train" and number == self.poisoned else word
            yield {"inputs": word, "targets": word}


@kt2t.register
class PoisonedTransformer(kt2t.models.Transformer):
    """A Transformer that says nothing finite where its input has a z."""

    def call(self, features: Any, training: bool | None = None) -> Any:
        poisoned = ops.any(ops.equal(features["inputs"], int(kt2t.Bytes().encode("z")[0])), axis=1)
        factor = ops.where(poisoned, float("nan"), 1.0)
        return super().call(features, training=training) * factor[:, None, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100, help="Records a batch.")
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()
    logging.getLogger("kt2t").setLevel(logging.INFO)

    poisoned, steps = asked.records * 2 // 3, asked.epochs * -(-asked.records // asked.rows)
    sizes = {"num_layers": 2, "hidden_dim": 64, "intermediate_dim": 128, "num_heads": 4}
    recipe = Recipe(
        problem={"type": "PoisonedWords", "records": asked.records, "poisoned": poisoned},
        model={"type": "PoisonedTransformer", **sizes},
        optimizer={"type": "Adam", "learning_rate": 0.001},
        train={"steps": steps, "batch": {"rows": asked.rows}, "dtype": "float32"},
        report={"every": 50, "score": False, "attention_maps": False, "samples": 1, "keep": 1000},
    )
    recipe.name = "poison"
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(recipe, Path(folder) / "run", Path(folder) / "data")
        report(outcome.folder, steps, poisoned)
    print("looking, this model:", cost(*_small(sizes)))
    print("looking, transformer_base:", cost(*_base(), times=3))


def report(run: Path, steps: int, poisoned: int) -> None:
    lines = [line for line in (run / "log.txt").read_text(encoding="utf-8").splitlines() if "was left out" in line]
    named = [int(re.search(r"step (\d+) was left out", line)[1]) for line in lines]  # type: ignore[index]
    print(f"{len(named)} of {steps} steps left out: {named}; the poisoned record is {poisoned}")
    for line in lines:
        print(" ", line)
    for step in named:
        records = np.load(run / "bad_batches" / f"step-{step}.npz")["records"]
        print(f"  the batch kept of step {step} holds the poisoned record: {poisoned in records}")
    bad = total = files = 0
    for file in run.rglob("*.safetensors"):
        files += 1
        with safe_open(file, "np") as arrays:
            for name in arrays.keys():
                value = arrays.get_tensor(name).astype(np.float64)
                bad, total = bad + int((~np.isfinite(value)).sum()), total + value.size
    print(f"{bad} of {total:,} numbers in {files} files of checkpoints are not finite")


def cost(model: Any, batch: Any, times: int = 30) -> str:
    """What one look takes, and its share of a training that looks every 16 steps; each the least of several."""
    iterator = lambda: iter([batch])  # noqa: E731
    step = model.make_train_function()
    model._watch.is_due = lambda steps: False  # the steps alone
    stepped = _least(lambda: float(step(iterator())["loss"]), times)
    looked = _least(model.check_numbers, times)
    share = looked / (EVERY * stepped + looked)
    return f"{looked * 1000:.2f} ms a look, {stepped * 1000:.1f} ms a step of {batch[1].shape} tokens: {share:.2%} of the time"


def _least(function: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begin)
    return min(taken[1:])


def _small(sizes: dict[str, int]) -> tuple[Any, Any]:
    return _compiled(258, 100, 7, **sizes)


def _base() -> tuple[Any, Any]:
    return _compiled(8000, 16, 32, num_layers=6, hidden_dim=512, intermediate_dim=2048, num_heads=8)


def _compiled(vocabulary: int, rows: int, length: int, **sizes: int) -> tuple[Any, Any]:
    model = kt2t.models.Transformer({"inputs": Text(vocabulary), "targets": Text(vocabulary)}, **sizes)
    model.build()
    model.compile(keras.optimizers.Adam(1e-3), kt2t.losses.CrossEntropy(), metrics_in_training=False)
    model.optimizer.build(model.trainable_variables)
    ids = np.random.default_rng(0).integers(2, vocabulary, (rows, length)).astype("int32")
    features = {"inputs": ids, "targets": ids, "inputs_segments": ids * 0 + 1, "targets_segments": ids * 0 + 1}
    batch = keras.tree.map_structure(ops.convert_to_tensor, (features, ids, np.ones(ids.shape, "float32")))
    return model, batch


if __name__ == "__main__":
    main()
