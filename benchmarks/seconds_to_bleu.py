"""How many seconds of training it takes until Multi30k is translated with 30 sacreBLEU: kt2t, or KerasHub's layers.

    python benchmarks/seconds_to_bleu.py DIR --toolkit kt2t         # DIR holds the files of Multi30k
    python benchmarks/seconds_to_bleu.py DIR --toolkit keras_hub    # each in a process of its own

Both train the model of `translation/multi30k_small` on the same batches of the same prepared records; sizes and numbers are the
recipe's. kt2t has its own trainer and Adam, as in a script. The other side is `KerasHubTransformer` under Keras's own Adam,
`compile` and `fit`, without XLA; it drops attention weights at the recipe's rate.

Every so many steps the clock stops, and the validation split is decoded greedily by each one's own cache and scored with
sacreBLEU. Prints a line of JSON for each evaluation: the steps, the seconds in `fit`, its compilation included, those of
evaluation, BLEU and the loss. Ends with the goal reached twice in a row, or after all steps, and prints when it was passed (on
a line between the evaluations around it), real target tokens a second, and the peak memory.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf
from measure import clock, peak_mb, prepared, record, seconds

from kt2t.callbacks.scoring import Scoring
from kt2t.decoding import Greedy
from kt2t.losses import CrossEntropy
from kt2t.registry import build
from kt2t.run.assemble import assemble
from kt2t.training.precision import dtype_policy, precision


def keras_hub_model(recipe: Any, problem: Any) -> keras.Model:
    """KerasHub's layers, compiled with the numbers of the recipe."""
    from keras_hub_transformer import KerasHubTransformer

    keras.utils.set_random_seed(recipe.train.seed)
    sizes, optimizer = recipe.nodes["model"], dict(recipe.nodes["optimizer"])
    with dtype_policy(precision(recipe.train.dtype)):
        size = problem.features()["targets"].vocabulary_size
        model = KerasHubTransformer(sizes, size, sizes["attention_dropout"])
    schedule = build(optimizer.pop("learning_rate"), "schedule", "optimizer.learning_rate")
    del optimizer["type"]
    # Keras's default reduction would divide by padding too; this is kt2t's Σ(w·l) ÷ Σw.
    loss = CrossEntropy(problem.loss().label_smoothing, reduction="mean_with_sample_weight")
    model.compile(keras.optimizers.Adam(schedule, **optimizer), loss=loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def renamed(batches: Any) -> tf.data.Dataset:
    """kt2t's batches with the fields of KerasHub's model."""
    ids, weights = tf.TensorSpec((None, None), "int32"), tf.TensorSpec((None, None), "float32")

    def fields() -> Iterator[Any]:
        for features, targets, weights in batches:
            before = np.pad(targets[:, :-1], [(0, 0), (1, 0)])
            yield {"inputs": features["inputs"], "before": before}, targets, weights

    signature = ({"inputs": ids, "before": ids}, ids, weights)
    return tf.data.Dataset.from_generator(fields, output_signature=signature).prefetch(tf.data.AUTOTUNE)


class Curve(keras.callbacks.Callback):
    """The clock of a training: stops while the validation split is scored, and ends the training at the goal."""

    def __init__(self, scoring: Scoring, goal: float) -> None:
        super().__init__()
        self.scoring, self.goal = scoring, goal
        self.seconds = self.evaluating = 0.0
        self.points: list[tuple[float, float]] = [(0.0, 0.0)]  # seconds, BLEU

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begun = clock()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds += clock() - self.begun
        self.scoring.set_model(self.model)
        self.evaluating += seconds(lambda: self.scoring.on_epoch_end(epoch, logs))
        self.points.append((self.seconds, logs["validation_bleu"]))
        clocks = {"seconds": round(self.seconds, 1), "evaluation_seconds": round(self.evaluating, 1)}
        told = {name: round(float(logs[name]), 3) for name in ("validation_bleu", "loss")}
        print(json.dumps({"step": int(self.model.optimizer.iterations), **clocks, **told}), flush=True)
        self.model.stop_training = all(bleu >= self.goal for _, bleu in self.points[-2:])

    def passed(self) -> float | None:
        """The seconds at which the goal was passed, by a line between evaluations."""
        for (begin, low), (end, bleu) in itertools.pairwise(self.points):
            if bleu >= self.goal:
                return round(begin + (end - begin) * (self.goal - low) / (bleu - low), 1)
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", metavar="DIR", type=Path, help="The files of Multi30k.")
    parser.add_argument("--toolkit", choices=["kt2t", "keras_hub"], required=True)
    parser.add_argument("--goal", type=float, default=30.0, help="sacreBLEU.")
    parser.add_argument("--every", type=int, default=250, help="Steps between two evaluations.")
    parser.add_argument("--steps", type=int, help="At most; the recipe's unless given.")
    parser.add_argument("--sentences", type=int, help="To decode, evenly over lengths; the whole split unless given.")
    asked = parser.parse_args()
    recipe, problem = prepared("translation/multi30k_small", f"problem.path={asked.path.resolve()}")
    batches = problem.batches("train", **recipe.train.batch, seed=recipe.train.seed)
    data = batches if asked.toolkit == "kt2t" else renamed(batches)
    model = assemble(recipe, problem).model if asked.toolkit == "kt2t" else keras_hub_model(recipe, problem)
    curve = Curve(Scoring(problem, Greedy(), limit=asked.sentences), asked.goal)
    epochs = (asked.steps or recipe.train.steps) // asked.every
    model.fit(data, steps_per_epoch=asked.every, epochs=epochs, callbacks=[curve], verbose=0)
    steps = int(model.optimizer.iterations)
    tokens = sum(float(weights.sum()) for *_, weights in itertools.islice(batches, steps))
    found = {"passed_seconds": curve.passed(), "seconds_a_step": round(curve.seconds / steps, 3)}
    found |= {"target_tokens_per_second": round(tokens / curve.seconds), "peak_mb": round(peak_mb())}
    record("seconds_to_bleu", **{asked.toolkit: {**found, "goal": asked.goal, "parameters": model.count_params()}})


if __name__ == "__main__":
    main()
