"""What a step does to weights that training cannot change. The gradients themselves: `test_law.py`, `test_trainer.py`."""

from __future__ import annotations

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("of the TensorFlow backend", allow_module_level=True)

import tensorflow as tf

from kt2t.layers import BatchNorm
from kt2t.training.trainer import Trainer

IDS = np.random.default_rng(0).integers(0, 11, (6, 5)).astype("int32")
SIGNATURE = (tf.TensorSpec((None, None), tf.int32),) * 2 + (tf.TensorSpec((None, None), tf.float32),)


class Frozen(Trainer):
    """Embeds ids; has two big tables that no step changes, and a statistic that each step does."""

    def __init__(self):
        super().__init__()
        self.embedding, self.dense = keras.layers.Embedding(11, 4), keras.layers.Dense(11)
        self.embedding.build((None, None)), self.dense.build((None, None, 4))
        self.built = True
        self.frozen = keras.layers.Embedding(11, 977)
        self.frozen.build((None, None))
        self.frozen.trainable = False
        self.constant = self.add_weight(shape=(977, 4), trainable=False, name="constant")
        self.norm = BatchNorm()
        self.norm.build((None, None, 4))

    def call(self, ids, training=False):
        looked_up = keras.ops.matmul(self.frozen(ids), self.constant)
        return self.dense(self.norm(self.embedding(ids) + looked_up, training=training))


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_neither_copies_nor_chooses_frozen_weights(micro_batches):
    model = Frozen()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), micro_batches=micro_batches)
    model._build_optimizer(model.trainable_weights)
    model.make_train_function()
    step = tf.function(model.train_step, autograph=False, input_signature=(SIGNATURE,)).get_concrete_function()
    found = {977: [], 4: []}
    for kind, shape in every_operation(step.graph):
        if shape in ([11, 977], [977, 4], [4]):
            found[max(shape) if max(shape) == 977 else 4].append(kind)
    copies = {"Identity", "Select", "SelectV2", "AssignVariableOp", "Mul", "AddV2", "ZerosLike", "While", "StatelessWhile"}
    assert found[977] and not copies & set(found[977]), found[977]
    assert {"ReadVariableOp"} == set(found[977]) - {"Placeholder"}
    before = [one.numpy() for one in model.non_trainable_weights]
    model.fit(IDS, IDS, verbose=0, batch_size=3)
    moved = [not np.array_equal(one, other.numpy()) for one, other in zip(before, model.non_trainable_weights, strict=True)]
    assert sorted(zip([one.path.split("/")[-1] for one in model.non_trainable_weights], moved, strict=True)) == [
        ("constant", False), ("embeddings", False), ("moving_mean", True), ("moving_variance", True)]  # fmt: skip


def every_operation(graph):
    """Kind and first output's shape of the operations of a graph and of all functions in it."""
    functions = graph._functions.values() if hasattr(graph, "_functions") else ()
    for one in [graph, *(function.graph for function in functions if hasattr(function, "graph"))]:
        for operation in one.get_operations():
            shape = operation.outputs[0].shape if operation.outputs else None
            yield operation.type, shape.as_list() if shape is not None and shape.rank else None
