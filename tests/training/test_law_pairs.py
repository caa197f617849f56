"""The law where its parts meet: every pair of them in some row of a small table, each row on one device, on two replicas and
in three micro-batches.

The one device runs step by step, without a graph, and never recomputes: so rows with recomputation say that this changes
nothing. With dropout each part of a batch has masks of its own; the one device is then given what the parts will draw, one
mask below the other.
"""

from __future__ import annotations

from itertools import combinations, product

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("replicas and recomputation in the graph are TensorFlow's", allow_module_level=True)

from keras import ops

from kt2t.layers.dropout import Dropout
from kt2t.layers.recomputation import recomputed
from kt2t.ops import randomness
from kt2t.training.clipping import innermost
from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer

ONE, REPLICAS, PARTS = (1, 1), (2, 1), (1, 3)
WORDS, SEED, RATE = 13, 3, 0.3
FACTORS = {
    "optimizer": ("Momentum", "AdamW", "Adafactor"),
    "clipping": ("none", "clipnorm", "global_clipnorm", "clipvalue"),
    "ema": (False, True),
    "uneven": (False, True),
    "sparse": (False, True),
    "dropout": (False, True),
    "recompute": (False, True),
    "dtype": ("float32", "mixed_bfloat16", "mixed_float16"),
}
OPTIMIZERS = {
    "Momentum": lambda **options: keras.optimizers.SGD(0.5, momentum=0.9, **options),
    "AdamW": lambda **options: keras.optimizers.AdamW(0.05, weight_decay=0.01, epsilon=1e-4, **options),
    "Adafactor": lambda **options: keras.optimizers.Adafactor(0.05, **options),
}
BOUNDS = {"none": None, "clipnorm": 0.05, "global_clipnorm": 0.1, "clipvalue": 0.01}
# What two orders of adding may differ by, of the largest number of an array. A part's gradients are rounded to the dtype of the
# arithmetic, by up to 2^-9 of bfloat16 and 2^-12 of float16, before they are added in float32; where positive and negative
# ones cancel, that is some twenty times as much of what is left. A part that counts twice or not at all differs by half.
CLOSE = {"float32": 1e-5, "mixed_bfloat16": 0.1, "mixed_float16": 0.01}


def pairs_of(row):
    return {((one, row[one]), (other, row[other])) for one, other in combinations(FACTORS, 2)}


def table():
    """Rows in which every pair of values stands at least once: again and again the one with the most new pairs."""
    rows = [dict(zip(FACTORS, values, strict=True)) for values in product(*FACTORS.values())]
    missing = set().union(*map(pairs_of, rows))
    found = []
    while missing:
        found.append(max(rows, key=lambda row: len(pairs_of(row) & missing)))
        missing -= pairs_of(found[-1])
    return found


ROWS = table()


def test_every_pair_of_values_is_in_the_table():
    assert len(ROWS) <= 16
    for (one, values), (other, others) in combinations(FACTORS.items(), 2):
        assert {(row[one], row[other]) for row in ROWS} == set(product(values, others)), (one, other)


class Masks(Dropout):
    """On one device the masks that so many parts draw, each of its own rows, the last ones filled up."""

    def __init__(self, parts, **options):
        super().__init__(RATE, **options)
        self.parts = parts
        self.step = None

    def call(self, x, training=None):
        if not training:
            return x
        rows, *rest = ops.shape(x)
        replicas, micro_batches = self.parts
        size = -(-rows // (replicas * micro_batches))
        ones = ops.ones((size, *rest), x.dtype)
        found = []
        for replica, micro_batch in product(range(replicas), range(micro_batches)):
            with randomness.root(SEED, self.step(), replica, micro_batch):
                found.append(Dropout.call(self, ones, training=True))
        return x * ops.concatenate(found)[:rows]


class Block(keras.layers.Layer):
    """What is recomputed: a projection and its dropout."""

    def __init__(self, dropout, dtype):
        super().__init__(dtype=dtype)
        self.dense = keras.layers.Dense(12, "tanh", dtype=dtype)
        self.dense.build((None, None, 8))
        self.dropout = dropout
        self.built = True

    def call(self, x, memory=None, training=None):
        return self.dropout(self.dense(x), training=training)


class Model(Trainer):
    def __init__(self, dropout, sparse, recompute, dtype):
        super().__init__(dtype=dtype)
        self.embedding = keras.layers.Embedding(WORDS, 8, dtype=dtype) if sparse else None
        self.projection = None if sparse else keras.layers.Dense(8, dtype=dtype)
        (self.embedding or self.projection).build((None, None, WORDS))
        self.block = Block(dropout, dtype)
        self.out = keras.layers.Dense(WORDS, dtype=dtype)
        self.out.build((None, None, 12))
        self.recompute = recompute
        self.built = True
        randomness.name_layers(self)

    def call(self, ids, training=False):
        x = self.embedding(ids) if self.embedding else self.projection(ops.one_hot(ids, WORDS))
        x = recomputed(self.block, x, training=training)[0] if self.recompute else self.block(x, training=training)
        return self.out(x)


def batches(uneven):
    draw = np.random.default_rng(1)
    found = []
    for rows in (6, 6, 5) if uneven else (6, 6, 6):
        ids = draw.integers(0, WORDS, (rows, 4)).astype("int32")
        weights = draw.random((rows, 4)) * (draw.random((rows, 4)) > 0.3)
        found.append((ids, np.roll(ids, 1, 1), weights.astype("float32")))
    return found


def trained(row, split, given_masks_of=None):
    """The logs of each step, and how each weight and each slot has changed."""
    dtype = row["dtype"]
    keras.utils.set_random_seed(7)
    with strategy_scope("mirrored" if split[0] > 1 else "none"):
        dropout = Masks(given_masks_of, dtype=dtype) if given_masks_of else Dropout(RATE, dtype=dtype)
        dropout = dropout if row["dropout"] else Dropout(0.0, dtype=dtype)
        model = Model(dropout, row["sparse"], row["recompute"] and not given_masks_of, dtype)
        options = {} if row["clipping"] == "none" else {row["clipping"]: BOUNDS[row["clipping"]]}
        options |= {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2} if row["ema"] else {}
        metrics = [keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="nll")]
        # Of equal logits any is the largest, and rounding makes many equal.
        metrics += [keras.metrics.SparseCategoricalAccuracy(name="accuracy")] if dtype == "float32" else []
        model.compile(
            OPTIMIZERS[row["optimizer"]](**options),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=metrics,
            micro_batches=split[1],
            seed=SEED,
            run_eagerly=given_masks_of is not None,
        )
        model.optimizer.build(model.trainable_variables)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (dtype == "mixed_float16")
    assert model.replicas.count == split[0]
    dropout.step = lambda: innermost(model.optimizer).iterations
    kept = [*model.trainable_variables, *innermost(model.optimizer).variables[2:]]
    before = [ops.convert_to_numpy(one) for one in kept]
    steps = []
    noted = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(dict(logs)))
    model.fit((one for one in batches(row["uneven"])), verbose=0, callbacks=[noted])
    return steps, [ops.convert_to_numpy(one) - was for one, was in zip(kept, before, strict=True)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(str(value) for value in row.values()))
def test_however_a_batch_is_split(row):
    close = CLOSE[row["dtype"]]
    wanted = None
    for split in (REPLICAS, PARTS):
        if wanted is None or row["dropout"]:
            wanted = trained(row, ONE, given_masks_of=split)
        (logs, changes), (other_logs, other_changes) = trained(row, split), wanted
        assert len(logs) == 3 and logs[-1]["bad_steps"] == 0
        for one, other in zip(logs, other_logs, strict=True):
            assert one == pytest.approx(other, rel=close)
        for one, other in zip(changes, other_changes, strict=True):
            assert np.abs(one - other).max() <= close * np.abs(other).max()
