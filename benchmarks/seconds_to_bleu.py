"""How many seconds of training it takes until Multi30k is translated with 30 sacreBLEU: kt2t, or KerasHub's layers.

    python benchmarks/seconds_to_bleu.py DIR --toolkit kt2t         # DIR holds the files of Multi30k
    python benchmarks/seconds_to_bleu.py DIR --toolkit keras_hub    # each in a process of its own

Both train the model of `translation/multi30k_small` on the same prepared records; sizes and numbers are the recipe's. kt2t has
its own batches, trainer and Adam, as in a script. The other side is `keras_hub.layers` under Keras's own Adam, `compile` and
`fit`, without XLA, fed by `tf.data` in buckets of similar length. What its layers do otherwise: biases in attention, other
first weights there, a learned vector before the first target. They would drop attention weights as often as outputs, and are
given the recipe's rate for those unless `--stock-dropout`.

Every so many steps the clock stops, the validation split is decoded by each one's own cached greedy decoding, and sacrebleu
(13a, cased) scores it against the raw references. Prints a line of JSON for each evaluation: the steps, the seconds in `fit`,
its compilation included, those of evaluation, BLEU and the loss. Ends with the goal reached twice in a row, or at the limit,
and prints when it was passed (on a line between the evaluations around it), when it was first found reached, real target
tokens a second, and the peak memory of the process up to the first evaluation and in all.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import peak_mb, record

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# The longest of each bucket: of all choices of seven and the longest example, the one with the fewest batches.
LIMITS = (12, 15, 17, 20, 23, 28, 35)
Curve = list[tuple[int, float, float]]  # steps, seconds, BLEU


@dataclass
class Side:
    """A compiled model, what its `fit` takes, what has kt2t's `generate`, and the real target tokens of so many first steps."""

    model: Any
    data: Any
    decoder: Any
    tokens: Callable[[int], float]


def kt2t_side(recipe: Any, problem: Any, stock_dropout: bool) -> Side:
    from kt2t.run.assemble import assemble

    model = assemble(recipe, problem).model
    batches = problem.batches("train", **recipe.train.batch, seed=recipe.train.seed)
    return Side(model, batches, model, lambda steps: model.tokens_seen)


def keras_hub_side(recipe: Any, problem: Any, stock_dropout: bool) -> Side:
    import keras

    from kt2t.losses import CrossEntropy
    from kt2t.registry import build
    from kt2t.training.precision import dtype_policy, precision

    keras.utils.set_random_seed(recipe.train.seed)
    with dtype_policy(precision(recipe.train.dtype)):
        layers = HubLayers(recipe.nodes["model"], problem.features()["targets"].vocabulary_size)
        inputs, before = (keras.Input((None,), dtype="int32", name=name) for name in ("inputs", "before"))
        model = keras.Model({"inputs": inputs, "before": before}, layers.decode(before, *layers.encode(inputs)))
    if not stock_dropout:
        layers.drop_attention_weights(recipe.nodes["model"]["attention_dropout"])
    options = {name: value for name, value in recipe.nodes["optimizer"].items() if name != "type"}
    schedule = build(options.pop("learning_rate"), "schedule", "optimizer.learning_rate")
    # Keras's default reduction would divide by padding too; this is kt2t's Σ(w·l) ÷ Σw.
    loss = CrossEntropy(problem.loss().label_smoothing, reduction="mean_with_sample_weight")
    model.compile(keras.optimizers.Adam(schedule, **options), loss=loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    draw = functools.partial(bucketed, problem, recipe.train.batch["tokens"], recipe.train.seed)

    def tokens(steps: int) -> float:
        return sum(float(weights.sum()) for *_, weights in draw().take(steps).as_numpy_iterator())

    return Side(model, draw(), layers, tokens)


class HubLayers:
    """A pre-norm Transformer of KerasHub's layers, in training and in cached decoding."""

    def __init__(self, sizes: dict[str, Any], vocabulary_size: int) -> None:
        import keras
        import keras_hub

        from kt2t.layers import LayerNorm

        epsilon, width, count = LayerNorm().epsilon, sizes["hidden_dim"], range(sizes["num_layers"])
        options: dict[str, Any] = {"normalize_first": True, "layer_norm_epsilon": epsilon}
        options.update((name, sizes[name]) for name in ("intermediate_dim", "num_heads", "dropout"))
        normal = keras.initializers.RandomNormal(stddev=width**-0.5)
        self.embedding = keras_hub.layers.ReversibleEmbedding(vocabulary_size, width, embeddings_initializer=normal)
        self.positions = keras_hub.layers.SinePositionEncoding(dtype="float32")  # bfloat16 makes its angles coarse
        self.dropout = keras.layers.Dropout(sizes["dropout"])
        self.encoder = [keras_hub.layers.TransformerEncoder(**options) for _ in count]
        self.decoder = [keras_hub.layers.TransformerDecoder(**options) for _ in count]
        self.encoder_norm, self.decoder_norm = (keras.layers.LayerNormalization(epsilon=epsilon) for _ in range(2))

    def drop_attention_weights(self, rate: float) -> None:
        """The layers have no option for it."""
        for block in (*self.encoder, *self.decoder):
            for attention in (block._self_attention_layer, getattr(block, "_cross_attention_layer", None)):
                if attention is not None:
                    attention._dropout = attention._dropout_layer.rate = rate

    def embedded(self, ids: Any, at: Any = 0) -> Any:
        from keras import ops

        x = self.embedding(ids) * self.embedding.output_dim**0.5
        return self.dropout(ops.add(x, self.positions(x, start_index=at)))

    def encode(self, inputs: Any) -> tuple[Any, Any]:
        """The memory, and where it is no padding."""
        mask, x = inputs != 0, self.embedded(inputs)
        for block in self.encoder:
            x = block(x, padding_mask=mask)
        return self.encoder_norm(x), mask

    def decode(self, before: Any, memory: Any, mask: Any) -> Any:
        """Logits behind each of the ids `before`."""
        x = self.embedded(before)
        for block in self.decoder:
            x = block(x, memory, encoder_padding_mask=mask)
        return self.embedding(self.decoder_norm(x), reverse=True)

    def step(self, last: Any, at: Any, memory: Any, mask: Any, caches: list[Any], first: bool = False) -> Any:
        """Logits (batch, ids) behind the ids `last` (batch, 1) at a position, and the caches with it."""
        x, kept = self.embedded(last, at), []
        for block, (own, cross) in zip(self.decoder, caches, strict=True):
            ours = {"self_attention_cache": own, "self_attention_cache_update_index": at}
            read = {"cross_attention_cache": cross, "cross_attention_cache_update_index": 0 if first else None}
            x, *new = block(x, memory, encoder_padding_mask=mask, **ours, **read)
            kept.append(tuple(new))
        return self.embedding(self.decoder_norm(x), reverse=True)[:, 0], kept

    @functools.cached_property
    def greedy(self) -> Callable[[Any, int], Any]:
        """A compiled function: sources (batch, source), ids at most → 0 and what follows it (batch, 1 + ids)."""
        import keras_hub
        import tensorflow as tf
        from keras import ops

        from kt2t.features import END

        block, heads = self.decoder[0], self.decoder[0].num_heads

        def run(inputs: Any, length: int) -> Any:
            rows, source = inputs.shape
            memory, mask = self.encode(inputs)
            shapes = [(rows, 2, room, heads, self.embedding.output_dim // heads) for room in (length, source)]
            caches = [tuple(ops.zeros(shape, block.compute_dtype) for shape in shapes) for _ in self.decoder]
            answers = ops.zeros((rows, 1 + length), "int32")
            _, caches = self.step(answers[:, :1], 0, memory, mask, caches, first=True)

            def following(answers: Any, caches: Any, index: Any) -> tuple[Any, None, Any]:
                last = ops.slice(answers, (0, index - 1), (rows, 1))
                logits, caches = self.step(last, index - 1, memory, mask, caches)
                return logits, None, caches

            return keras_hub.samplers.GreedySampler()(following, answers, caches, index=1, stop_token_ids=[END])

        return tf.function(run, autograph=False)

    def generate(self, features: dict[str, Any], search: Any, draw: int = 0) -> dict[str, Any]:
        """Greedy answers to kt2t's question, with as many ids at most as kt2t's search allows."""
        import tensorflow as tf

        width = features["inputs"].shape[1]
        padded = tf.pad(features["inputs"], [(0, 0), (0, -width % 8)])  # few widths, and few graphs
        answers = self.greedy(padded, padded.shape[1] + search.extra_length).numpy()
        return {"ids": answers[:, None, 1 : 1 + width + search.extra_length]}


def bucketed(problem: Any, tokens: int, seed: int) -> Any:
    """Endless batches for `fit` of examples of similar length, each field padded to its longest of the batch."""
    import numpy as np
    import tensorflow as tf

    records = problem.prepared.records("train")
    examples = records.read(np.arange(len(records)))
    columns = []
    for name in ("inputs", "targets"):
        rows = [example[name] for example in examples]
        columns.append(tf.RaggedTensor.from_row_lengths(np.concatenate(rows), [len(row) for row in rows]))
    limits = [*LIMITS, max(int(column.bounding_shape()[1]) for column in columns)]

    def batch(inputs: Any, targets: Any) -> Any:
        before = tf.pad(targets[:, :-1], [(0, 0), (1, 0)])
        return {"inputs": inputs, "before": before}, targets, tf.cast(targets != 0, "float32")

    data = tf.data.Dataset.from_tensor_slices(tuple(columns)).map(lambda *both: both).cache()
    data = data.shuffle(len(examples), seed=seed).repeat()
    data = data.bucket_by_sequence_length(
        lambda inputs, targets: tf.maximum(tf.size(inputs), tf.size(targets)),
        [limit + 1 for limit in limits],  # a bucket ends before its boundary
        [*(tokens // limit for limit in limits), 1],
    )
    return data.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


@dataclass
class Race:
    """The clock of a training, and what was measured while it stood still."""

    side: Side
    problem: Any
    asked: argparse.Namespace
    seconds: float = 0.0
    evaluating: float = 0.0
    peak_before: float = 0.0
    curve: Curve = field(default_factory=list)

    def run(self, every: int, epochs: int) -> None:
        import keras

        watch = keras.callbacks.LambdaCallback(on_epoch_end=self.evaluate)
        self.begun = time.perf_counter()
        self.side.model.fit(self.side.data, steps_per_epoch=every, epochs=epochs, callbacks=[watch], verbose=0)

    def evaluate(self, epoch: int, logs: dict[str, Any]) -> None:
        """Stops the clock, decodes and scores, and starts it again, or ends the training."""
        stopped = time.perf_counter()
        self.seconds += stopped - self.begun
        self.peak_before = self.peak_before or peak_mb()
        bleu, step = self.bleu(), int(self.side.model.optimizer.iterations)
        self.evaluating += time.perf_counter() - stopped
        self.curve.append((step, self.seconds, bleu))
        clocks = {"seconds": round(self.seconds, 1), "evaluation_seconds": round(self.evaluating, 1)}
        told = {"step": step, **clocks, "bleu": round(bleu, 2), "loss": round(float(logs["loss"]), 3)}
        print(json.dumps(told), flush=True)
        reached = [score >= self.asked.goal for *_, score in self.curve[-2:]]
        if reached == [True, True] or self.seconds >= 60 * self.asked.limit_minutes:
            self.side.model.stop_training = True
        self.begun = time.perf_counter()

    def bleu(self) -> float:
        import sacrebleu

        from kt2t.callbacks.scoring import decode_split
        from kt2t.decoding import Greedy

        found = dict(decode_split(self.side.decoder, self.problem, "validation", Greedy(), self.asked.sentences))
        references = self.problem.references("validation")
        pairs = [(text, references[number]["targets"]) for number, text in found.items()]
        texts, right = map(list, zip(*pairs, strict=True))
        return float(sacrebleu.corpus_bleu(texts, [right]).score)

    def summary(self) -> dict[str, Any]:
        step = self.curve[-1][0]
        return {
            "toolkit": self.asked.toolkit,
            "goal": self.asked.goal,
            **passed(self.curve, self.asked.goal),
            "target_tokens_per_second": round(self.side.tokens(step) / self.seconds),
            "peak_mb_before_evaluation": round(self.peak_before),
            "peak_mb": round(peak_mb()),
            "parameters": self.side.model.count_params(),
            "dtype": self.side.model.layers[-1].dtype_policy.name,
        }


def passed(curve: Curve, goal: float) -> dict[str, float | None]:
    """The seconds at which the goal was passed, by a line between evaluations, and at which it was found reached."""
    for (_, begin, low), (_, seconds, bleu) in itertools.pairwise([(0, 0.0, 0.0), *curve]):
        if bleu >= goal:
            between = begin + (seconds - begin) * (goal - low) / max(bleu - low, 1e-9)
            return {"passed_seconds": round(between, 1), "reached_seconds": round(seconds, 1)}
    return {"passed_seconds": None, "reached_seconds": None}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", metavar="DIR", type=Path, help="The files of Multi30k.")
    parser.add_argument("--toolkit", choices=["kt2t", "keras_hub"], required=True)
    parser.add_argument("--goal", type=float, default=30.0, help="sacreBLEU.")
    parser.add_argument("--every", type=int, default=250, help="Steps between two evaluations.")
    parser.add_argument("--steps", type=int, help="At most; the recipe's unless given.")
    parser.add_argument("--limit-minutes", type=float, default=120.0, help="Of training, at most.")
    parser.add_argument("--sentences", type=int, help="To decode, evenly over lengths; the whole split unless given.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stock-dropout", action="store_true", help="KerasHub's layers drop attention weights too.")
    return parser.parse_args()


def main(asked: argparse.Namespace) -> None:
    from kt2t.recipe_file import load
    from kt2t.run.assemble import problem_of

    given = (f"problem.path={asked.path.resolve()}", f"train.seed={asked.seed}")
    recipe = load("translation/multi30k_small", given)
    recipe.check()
    problem = problem_of(recipe)
    problem.prepare()
    side = {"kt2t": kt2t_side, "keras_hub": keras_hub_side}[asked.toolkit](recipe, problem, asked.stock_dropout)
    race = Race(side, problem, asked)
    steps = asked.steps or recipe.train.steps
    race.run(min(asked.every, steps), max(1, steps // asked.every))
    record("seconds_to_bleu", **{asked.toolkit: race.summary()})


if __name__ == "__main__":
    main(arguments())
