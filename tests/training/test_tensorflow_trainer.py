from __future__ import annotations

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("of the TensorFlow backend", allow_module_level=True)

import tensorflow as tf

from kt2t.training.trainer import Trainer

DRAW = np.random.default_rng(0)
SIGNATURE = (tf.TensorSpec((None, None), tf.int32),) * 2 + (tf.TensorSpec((None, None), tf.float32),)


class Reader(Trainer):
    """Embeds ids and says which they were; counts how often it is traced."""

    def __init__(self, dtype=None):
        super().__init__(dtype=dtype)
        self.embedding = keras.layers.Embedding(11, 4, dtype=dtype)
        self.dense = keras.layers.Dense(11, dtype=dtype)
        self.embedding.build((None, None))
        self.dense.build((None, None, 4))
        self.built = True
        self.calls = 0

    def call(self, ids, training=False):
        self.calls += 1
        return self.dense(self.embedding(ids))


def batch(rows, time):
    ids = DRAW.integers(0, 11, (rows, time)).astype("int32")
    return ids, ids, (DRAW.random((rows, time)) > 0.3).astype("float32")


BATCHES = [batch(rows, time) for rows, time in ((4, 3), (2, 9), (3, 5), (4, 3))]


def dataset():
    return tf.data.Dataset.from_generator(lambda: iter(BATCHES), output_signature=SIGNATURE).apply(
        tf.data.experimental.assert_cardinality(len(BATCHES))
    )


class Batches:
    """What kt2t's reader looks like from here."""

    def dataset(self):
        return dataset()


def compiled(optimizer="sgd", **options):
    model = Reader(options.pop("dtype", None))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, **{"metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")], **options})
    return model


def test_batches_of_many_lengths_are_one_graph():
    model = compiled()
    for _ in range(2):
        model.fit(dataset(), epochs=2, verbose=0)
    assert model.calls == 1
    model.fit(dataset(), validation_data=dataset(), epochs=2, verbose=0)
    assert model.calls == 2


@pytest.mark.parametrize("data", [dataset, Batches, lambda: (one for one in BATCHES)])
def test_every_kind_of_data_trains_alike(data):
    keras.utils.set_random_seed(0)
    model = compiled()
    history = model.fit(data(), verbose=0).history
    keras.utils.set_random_seed(0)
    other = compiled()
    assert history["loss"] == pytest.approx(other.fit(dataset(), verbose=0).history["loss"], rel=1e-6)
    assert model.evaluate(Batches(), verbose=0) == pytest.approx(other.evaluate(dataset(), verbose=0), rel=1e-6)
    assert int(model.optimizer.iterations) == len(BATCHES)


@pytest.mark.parametrize("metric", ["accuracy", keras.metrics.SparseCategoricalAccuracy(name="accuracy")])
def test_metrics_do_not_count_padding(metric):
    model = compiled(metrics=[metric])
    found = model.evaluate(dataset(), verbose=0, return_dict=True)
    right, nll, count = 0.0, 0.0, 0.0
    for ids, targets, weights in BATCHES:
        logits = model(ids).numpy().astype("float64")
        right += ((logits.argmax(-1) == targets) * weights).sum()
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        nll -= (np.take_along_axis(logs, targets[..., None], -1)[..., 0] * weights).sum()
        count += weights.sum()
    assert found == pytest.approx({"loss": nll / count, "accuracy": right / count}, rel=1e-5)


def test_the_norm_sees_an_embeddings_repeated_rows_as_one():
    model = compiled("sgd")
    ids = np.zeros((2, 3), "int32")
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(ids, model(ids))
        loss = tf.reduce_mean(losses)
    dense = [tf.convert_to_tensor(one) for one in tape.gradient(loss, model.trainable_weights)]
    expected = np.sqrt(sum((one.numpy() ** 2).sum() for one in dense))
    assert model.train_on_batch(ids, ids, return_dict=True)["gradient_norm"] == pytest.approx(expected, rel=1e-5)


def test_float16_scales_the_loss_and_learns_from_overflow():
    model = compiled(keras.optimizers.Adam(0.01, global_clipnorm=1.0), dtype="mixed_float16")
    model.fit(dataset(), epochs=2, verbose=0)
    scaling = model.optimizer
    assert isinstance(scaling, keras.optimizers.LossScaleOptimizer)
    before, scale = [one.numpy() for one in model.weights], float(scaling.dynamic_scale)
    ids, _, weights = BATCHES[0]
    logs = model.train_on_batch(ids, ids, np.where(weights > 0, np.inf, 0), return_dict=True)
    assert logs["bad_steps"] == 1
    assert float(scaling.dynamic_scale) == scale / 2
    assert int(scaling.iterations) == 2 * len(BATCHES) + 1
    for one, other in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(one.numpy(), other)


def test_bfloat16_trains_with_float32_gradients():
    model = compiled(keras.optimizers.Adam(0.05), dtype="mixed_bfloat16")
    history = model.fit(dataset(), epochs=20, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert {one.dtype for one in model.weights} == {"float32"}


def test_a_model_that_builds_itself_while_training():
    class Lazy(Trainer):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Lazy()
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"])
    history = model.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=60, verbose=0).history
    assert history["loss"][-1] < 0.05


def test_outputs_by_name():
    class Two(Trainer):
        def __init__(self):
            super().__init__()
            self.a, self.b = keras.layers.Dense(2), keras.layers.Dense(5)

        def call(self, x):
            return {"a": self.a(x), "b": self.b(x)}

    model = Two()
    loss = {"a": "mse", "b": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    model.compile("adam", loss, metrics={"b": ["accuracy"]})
    data = np.ones((8, 3)), {"a": np.ones((8, 2)), "b": np.zeros(8, "int32")}
    history = model.fit(*data, validation_data=data, verbose=0).history
    assert {"loss", "a_loss", "b_loss", "b_accuracy", "val_b_accuracy"} <= set(history)
    assert history["val_loss"][0] == pytest.approx(history["val_a_loss"][0] + history["val_b_loss"][0], rel=1e-5)


def test_tokens_seen_grow_over_the_whole_run_by_the_weights():
    model = compiled()
    each = sum(float(weights.sum()) for *_, weights in BATCHES)
    history = model.fit(dataset(), epochs=2, verbose=0).history
    assert model.tokens_seen == pytest.approx(2 * each) and model.tokens_seen == pytest.approx(2 * each)
    model.fit(dataset(), verbose=0, steps_per_epoch=len(BATCHES))
    assert model.tokens_seen == pytest.approx(3 * each)
    assert not [name for name in history if "token" in name]
    rows = compiled()
    rows.fit(np.ones((6, 3), "int32"), np.ones((6, 3), "int32"), batch_size=2, verbose=0)
    assert rows.tokens_seen == 6
