"""Shapes that XLA and TPUs can compile: few of them, known in full, with rows that all replicas share alike.

No TPU was there. What a step is traced with for one is seen on two replicas that say they are its cores.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("JAX knows every shape", allow_module_level=True)

import tensorflow as tf

from kt2t.data.algorithmic.reverse import Reverse
from kt2t.models import Transformer
from kt2t.ops import randomness
from kt2t.training import rows
from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    made = Reverse(symbols=5, max_length=12, train_examples=300, validation_examples=50)
    made.prepare(tmp_path_factory.mktemp("reverse"))
    return made


class Seeing(Trainer):
    """Keeps the shapes that it is traced with."""

    def __init__(self):
        super().__init__()
        self.embedding = keras.layers.Embedding(9, 4)
        self.out = keras.layers.Dense(9)
        self.embedding.build((None, None)), self.out.build((None, None, 4))
        self.built = True
        object.__setattr__(self, "seen", set())
        randomness.name_layers(self)

    def call(self, features, training=False):
        tensors = {
            name: one for name, one in features.items() if isinstance(one, tf.Tensor)
        }  # not those of a symbolic build
        self.seen.update((name, tuple(one.shape)) for name, one in tensors.items())
        return self.out(self.embedding(features["targets"]))


def fitted(model, batches, optimizer=None, steps=None, validation=None, **options):
    model.compile(
        optimizer or keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options
    )
    history = model.fit(
        batches, steps_per_epoch=steps or len(batches), epochs=1, validation_data=validation, verbose=0
    ).history
    return {name: values[0] for name, values in history.items()}, model.get_weights()


@pytest.mark.parametrize(
    ("split", "options", "most"),
    [
        ("train", {"tokens": 96, "shapes": 3}, 3),
        ("train", {"rows": 10, "shapes": 3}, 3),
        ("train", {"tokens": 96, "pack": 24}, 1),
        ("train", {"tokens": 96, "bucket_step": 1.5}, 6),
        ("validation", {"rows": 7, "shapes": 3}, 3),
    ],
)
@pytest.mark.parametrize("cores", [2, 8])
def test_the_batches_of_a_plan_have_few_shapes_and_rows_for_all_cores(problem, split, options, most, cores):
    batches = problem.batches(split, **options)
    shapes, weights, own = set(), 0.0, 0.0
    for step in range(2 * len(batches)):
        data = batches.batch(step)
        whole = rows.filled(data, cores)
        shapes.add(tuple(tuple(one.shape) for one in tf.nest.flatten(whole)))
        assert {one.shape[0] % cores for one in tf.nest.flatten(whole)} == {0}
        weights, own = weights + float(tf.reduce_sum(whole[2])), own + float(data[2].sum())
    assert 0 < len(shapes) <= most
    assert weights == own > 0


def test_without_xla_lengths_vary_within_one_graph(problem):
    model = Seeing()
    fitted(model, problem.batches("train", tokens=96, shapes=3))
    assert ("targets", (None, None)) in model.seen


def test_for_a_tpu_every_size_is_known_and_the_numbers_are_the_same(problem, monkeypatch):
    batches, validation = problem.batches("train", rows=9, shapes=2), problem.batches("validation", rows=9, shapes=2)

    def run():
        keras.utils.set_random_seed(7)
        with strategy_scope("mirrored"):
            model = Seeing()
            return *fitted(model, batches, keras.optimizers.SGD(0.5), validation=validation, micro_batches=2), model

    plain, plain_weights, _ = run()
    monkeypatch.setattr(tf.distribute, "TPUStrategy", tf.distribute.MirroredStrategy)
    logs, weights, model = run()
    assert model.replicas.on_tpu and model.replicas.divided
    sizes = [shape for _, shape in model.seen]
    assert sizes and all(None not in shape for shape in sizes)
    # 9 rows on 2 cores in 2 micro-batches are 12, of 3 each; evaluation has no micro-batches.
    wanted = {-(-batch.rows // 4) for batch in batches.plan.epoch(0)}
    assert {shape[0] for shape in sizes} == wanted | {-(-batch.rows // 2) for batch in validation.plan.epoch(0)}
    assert logs == pytest.approx(plain, rel=1e-6)
    for one, other in zip(weights, plain_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    model.compile(model.optimizer, "mse", jit_compile=True)  # XLA compiles there in any case


def test_a_transformer_compiled_by_xla_trains_as_without(problem):
    """Packed rows, so that there is one shape to compile; clipping and micro-batches go along.

    No dropout: TensorFlow's generators draw other numbers from the same seed when XLA compiles them.
    """
    batches = problem.batches("train", tokens=96, pack=24)

    def run(**options):
        keras.utils.set_random_seed(7)
        sizes = {"num_layers": 1, "hidden_dim": 8, "intermediate_dim": 16, "num_heads": 2, "dropout": 0.0}
        model = Transformer(problem.features(), **sizes)
        model.build()
        # Of a key's bias the gradient is rounding alone, which a small epsilon would make steps of.
        optimizer = keras.optimizers.Adam(0.01, epsilon=1e-4, global_clipnorm=0.5)
        return fitted(model, batches, optimizer, steps=4, micro_batches=2, seed=3, **options)

    (plain, plain_weights), (logs, weights) = run(jit_compile=False), run(jit_compile=True)
    assert logs == pytest.approx(plain, rel=1e-5)
    for one, other in zip(weights, plain_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
