"""The law: one device, several replicas and any number of micro-batches give the same training, to float32 rounding.

On JAX, where `test_jax_trainer.py` runs this file once more, there are micro-batches alone.
"""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest

from kt2t.layers.dropout import Dropout
from kt2t.ops import randomness
from kt2t.training import checkpoints
from kt2t.training.optimizers.adam import Adam
from kt2t.training.strategies import strategy_scope
from kt2t.training.trainer import Trainer

WORDS = 13
ON_JAX = keras.backend.backend() == "jax"
ONE, REPLICAS, PARTS, BOTH = (1, 1), (2, 1), (1, 3), (2, 2)
KINDS = [PARTS] if ON_JAX else [REPLICAS, PARTS, BOTH]
SPLITS = pytest.mark.parametrize("split", KINDS, ids=lambda split: f"{split[0]} x {split[1]}")


class Small(Trainer):
    """An embedding, whose gradient is sparse, two layers, and a weight that nothing reads."""

    def __init__(self, dropout=0.0, dtype=None):
        super().__init__(dtype=dtype)
        self.embedding = keras.layers.Embedding(WORDS, 8, dtype=dtype)
        self.hidden = keras.layers.Dense(16, "tanh", dtype=dtype)
        self.dropout = Dropout(dropout, dtype=dtype)
        self.out = keras.layers.Dense(WORDS, dtype=dtype)
        self.idle = keras.layers.Dense(2, dtype=dtype)
        for layer, width in ((self.embedding, None), (self.hidden, 8), (self.out, 16), (self.idle, 3)):
            layer.build((None, None) if width is None else (None, None, width))
        self.built = True
        randomness.name_layers(self)

    def call(self, ids, training=False):
        return self.out(self.dropout(self.hidden(self.embedding(ids)), training=training))


def batches(count, seed=0, rows_of_all=None):
    """Rows and lengths differ; most rows are odd in number, and weights are real numbers, zero among them."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        # JAX compiles each shape anew
        rows, time = (4, 5) if ON_JAX else (int(draw.integers(3, 9)), int(draw.integers(2, 7)))
        rows = rows_of_all or rows
        ids = draw.integers(0, WORDS, (rows, time)).astype("int32")
        weights = draw.random((rows, time)) * (draw.random((rows, time)) > 0.3)
        found.append((ids, np.roll(ids, 1, 1), weights.astype("float32")))
    return found


def dataset(found):
    if ON_JAX:
        return (one for one in found)
    import tensorflow as tf

    spec = (tf.TensorSpec((None, None), tf.int32),) * 2 + (tf.TensorSpec((None, None), tf.float32),)
    return tf.data.Dataset.from_generator(lambda: iter(found), output_signature=spec).apply(
        tf.data.experimental.assert_cardinality(len(found))
    )


class Steps(keras.callbacks.Callback):
    """The logs of every step, and the weights after it."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: float(value) for name, value in logs.items()})


def trained(split, optimizer, data, model=None, loss=None, metrics=None, **options):
    """The logs of each step, the weights at the end and the evaluation, on so many replicas and micro-batches."""
    replicas, micro_batches = split
    keras.utils.set_random_seed(7)
    with strategy_scope("mirrored" if replicas > 1 else "none"):
        made = (model or Small)()
        made.compile(
            optimizer() if callable(optimizer) else optimizer,
            loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=metrics or [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            micro_batches=micro_batches,
            seed=3,
            **options,
        )
    assert ON_JAX or made.replicas.count == replicas
    steps = Steps()
    made.fit(dataset(data), verbose=0, callbacks=[steps])
    evaluation = made.evaluate(dataset(data[:7]), verbose=0, return_dict=True)
    return steps.logs, [keras.ops.convert_to_numpy(one) for one in made.weights], evaluation


def same(found, wanted, step=1e-5, weights=1e-4, initial=None):
    (logs, ends, evaluation), (other_logs, other_ends, other_evaluation) = found, wanted
    assert len(logs) == len(other_logs) > 0
    for one, other in zip(logs, other_logs, strict=True):
        assert one == pytest.approx(other, rel=step, abs=1e-7)
    for one, other in zip(ends, other_ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=weights, atol=weights * max(1e-3, np.abs(other).max()))
    assert evaluation == pytest.approx(other_evaluation, rel=max(step, 1e-5), abs=1e-7)


@functools.cache
def baseline(case):
    """What one device gives, once for all splits that a test compares with it: `case()` or `case(ONE)`."""
    return case()


OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.1),
    "Momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "Adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "Adam": lambda: Adam(0.01),
    "Keras's Adam": lambda: keras.optimizers.Adam(0.01),
    "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.01),
    "Nadam": lambda: keras.optimizers.Nadam(0.01),
    "Lamb": lambda: keras.optimizers.Lamb(0.01),
    "Adafactor": lambda: keras.optimizers.Adafactor(0.01),
    # Of signs and of orthogonal matrices: a sum near 0 might come out with the other sign. In these steps none does.
    "Lion": lambda: keras.optimizers.Lion(0.001),
    "Muon": lambda: keras.optimizers.Muon(0.01),
}


@pytest.mark.parametrize("name", ["AdamW", "Adafactor"] if ON_JAX else OPTIMIZERS)
def test_fifty_steps_of_an_optimizer(name):
    """On the split with both mechanisms, replicas and micro-batches; the other tests have each by itself."""
    data = batches(50)
    same(trained(KINDS[-1], OPTIMIZERS[name], data), trained(ONE, OPTIMIZERS[name], data))


def clipped(split, **clipping):
    return trained(split, lambda: keras.optimizers.SGD(1.0, **clipping), batches(8))


CLIPPING = {"clipnorm": 0.05, "global_clipnorm": 0.1, "clipvalue": 0.01}
ALONE = {(name, bound): functools.partial(clipped, ONE, **{name: bound}) for name, bound in CLIPPING.items()}
FREE = functools.partial(clipped, ONE)


@SPLITS
@pytest.mark.parametrize("clipping", CLIPPING)
def test_clipping_is_of_the_whole_gradient(split, clipping):
    bound = CLIPPING[clipping]
    wanted = baseline(ALONE[clipping, bound])
    same(clipped(split, **{clipping: bound}), wanted)
    assert not np.allclose(baseline(FREE)[1][1], wanted[1][1], rtol=1e-3)  # the bounds did bind


def averaged(split, **options):
    return trained(split, lambda: keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.8, **options), batches(8))


AVERAGES = [functools.partial(averaged, **options) for options in ({}, {"ema_overwrite_frequency": 3})]
AVERAGES_ALONE = [functools.partial(run, ONE) for run in AVERAGES]


@SPLITS
def test_averages_of_the_weights(split):
    for run, alone in zip(AVERAGES, AVERAGES_ALONE, strict=True):
        same(run(split), baseline(alone))


def in_bfloat16(split=ONE):
    # Of equal logits any is the largest, so the accuracy is left out.
    metrics = [keras.metrics.SparseCategoricalCrossentropy(from_logits=True)]
    return trained(split, "sgd", batches(8), lambda: Small(dtype="mixed_bfloat16"), metrics=metrics)


@SPLITS
def test_bfloat16(split):
    same(in_bfloat16(split), baseline(in_bfloat16), step=5e-3, weights=5e-3)


@SPLITS
def test_metrics_while_training_are_those_of_the_whole(split):
    data = batches(4)
    logs, _, _ = trained(split, "sgd", data)
    assert "accuracy" in logs[-1]
    ids, targets, weights = data[0]
    keras.utils.set_random_seed(7)
    logits = keras.ops.convert_to_numpy(Small()(ids))
    assert logs[0]["accuracy"] == pytest.approx(
        ((logits.argmax(-1) == targets) * weights).sum() / weights.sum(), rel=1e-5
    )


class Two(Trainer):
    """Two outputs by name, the second one perhaps with a loss of its layer's own."""

    def __init__(self, sizes, regularizer=None):
        super().__init__()
        self.a, self.b = keras.layers.Dense(sizes[0]), keras.layers.Dense(sizes[1], activity_regularizer=regularizer)
        self.a.build((None, 3)), self.b.build((None, 3))
        self.built = True

    def call(self, x):
        return {"a": self.a(x), "b": self.b(x)}


WEIGHTS = np.random.default_rng(2).random(5).astype("float32")


def partly_weighted(split=ONE):
    draw = np.random.default_rng(3)
    x = draw.random((5, 3)).astype("float32")  # an odd number: a part has rows of no weight
    y = {"a": draw.random((5, 2)), "b": draw.random((5, 3))}
    keras.utils.set_random_seed(5)
    with strategy_scope("mirrored" if split[0] > 1 else "none"):
        model = Two((2, 3))
        model.compile("sgd", {"a": "mse", "b": "mse"}, metrics={"b": ["mae"]}, micro_batches=split[1])

    def endless():
        while True:
            yield x, y, {"a": WEIGHTS, "b": None}

    history = model.fit(endless(), steps_per_epoch=2, epochs=2, verbose=0).history
    return {**history, "tokens": model.tokens_seen}


@SPLITS
def test_an_output_without_weights_beside_one_that_has_them(split):
    found, wanted = partly_weighted(split), baseline(partly_weighted)
    assert wanted["tokens"] == pytest.approx(4 * (WEIGHTS.sum() + 5), rel=1e-5)
    assert found == {name: pytest.approx(value, rel=1e-5) for name, value in wanted.items()}


def named_outputs(split=ONE):
    draw = np.random.default_rng(2)
    x, y = draw.random((12, 3)).astype("float32"), {"a": draw.random((12, 2)), "b": draw.integers(0, 5, 12)}
    weights = {"a": draw.random(12), "b": draw.random(12)}
    keras.utils.set_random_seed(5)
    with strategy_scope("mirrored" if split[0] > 1 else "none"):
        model = Two((2, 5), keras.regularizers.L2(0.1))
        losses = {
            "a": lambda t, p: keras.ops.abs(t - p),
            "b": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        }
        model.compile(
            keras.optimizers.SGD(0.1),
            losses,
            loss_weights={"a": 0.3, "b": 2.0},
            metrics={"b": ["accuracy"]},
            micro_batches=split[1],
        )
    # an equal number of rows in each part: the extra loss is a mean of means
    history = model.fit(x, y, sample_weight=weights, batch_size=12, epochs=3, verbose=0, shuffle=False).history
    return history, model.predict(x, verbose=0)


@SPLITS
def test_outputs_by_name_with_extra_losses_and_functions(split):
    (history, predicted), (wanted, other) = named_outputs(split), baseline(named_outputs)
    for name in wanted:
        assert history[name] == pytest.approx(wanted[name], rel=1e-5), name
    for name in other:
        np.testing.assert_allclose(predicted[name], other[name], rtol=1e-4, atol=1e-6)


def of_arrays(split=ONE):
    draw = np.random.default_rng(4)
    x, y = draw.integers(0, WORDS, (11, 4)).astype("int32"), draw.integers(0, WORDS, (11, 4)).astype("int32")
    keras.utils.set_random_seed(5)
    with strategy_scope("mirrored" if split[0] > 1 else "none"):
        model = Small()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"], micro_batches=split[1])
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, validation_data=(x, y)).history
    return history, model.predict(x, batch_size=4, verbose=0)


@SPLITS
def test_arrays_without_weights_and_an_uneven_last_batch(split):
    (history, predicted), (wanted, other) = of_arrays(split), baseline(of_arrays)
    assert set(history) == set(wanted)
    for name in wanted:
        assert history[name] == pytest.approx(wanted[name], rel=2e-5), name
    assert predicted.shape == other.shape == (11, 4, WORDS)
    np.testing.assert_allclose(predicted, other, rtol=1e-4, atol=1e-5)


def shown(tensor, seen):
    """Appends to `seen` what a tensor is each time that the graph runs."""
    if ON_JAX:
        import jax

        jax.debug.callback(lambda one: seen.append(np.asarray(one)), tensor)
    else:
        import tensorflow as tf

        tf.py_function(lambda one: seen.append(one.numpy()), [tensor], [])


class Own(Small):
    """A loss of which the trainer knows nothing."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(y_pred - 1.0))


def of_own_loss(split=ONE):
    return trained(split, "sgd", batches(7, rows_of_all=12), Own)  # equal parts of every split


@SPLITS
def test_an_overridden_loss_of_which_nothing_is_known_is_the_mean_over_the_parts(split):
    same(of_own_loss(split), baseline(of_own_loss))


@pytest.mark.parametrize("split", [(1, 2)] if ON_JAX else [REPLICAS, (1, 2)], ids=str)
def test_dropout_differs_between_parts_and_is_the_same_again(split):
    """Two equal rows, one a part: without dropout the model says the same of both."""
    ids = np.tile(np.arange(6, dtype="int32"), (2, 1))
    seen = []

    class Watching(Small):
        def call(self, ids, training=False):
            hidden = self.dropout(keras.ops.ones((keras.ops.shape(ids)[0], 64)), training=training)
            shown(hidden, seen)
            return self.out(self.hidden(self.embedding(ids)))

    def masks():
        seen.clear()
        trained(split, "sgd", [(ids, ids, np.ones((2, 6), "float32"))], lambda: Watching(dropout=0.5))
        return np.stack(sorted((one[0] for one in seen if (one == 0).any()), key=lambda one: one.tobytes()))

    first, again = masks(), masks()
    assert first.shape == (2, 64)
    assert (first[0] != first[1]).any()
    np.testing.assert_array_equal(first, again)


def without_metrics(split=ONE):
    return trained(split, "sgd", batches(4), metrics_in_training=False)


@SPLITS
def test_metrics_that_wait_for_evaluation(split):
    found = without_metrics(split)
    assert "accuracy" not in found[0][0] and "accuracy" in found[2]
    same(found, baseline(without_metrics))


def poisoned(split=ONE):
    data = batches(6)
    ids, targets, weights = data[3]
    weights = np.where(np.arange(len(ids))[:, None] == 0, np.inf, weights).astype("float32")
    return trained(split, lambda: Adam(0.01), [*data[:3], (ids, targets, weights), *data[4:]])


@SPLITS
def test_a_step_that_is_not_finite_changes_nothing_anywhere(split):
    (logs, ends, _), wanted = poisoned(split), baseline(poisoned)
    assert [one["bad_steps"] for one in logs] == [0, 0, 0, 1, 1, 1]
    measured = [one["accuracy"] for one in logs]
    assert measured[3] == measured[2] and measured == pytest.approx([one["accuracy"] for one in wanted[0]], rel=1e-5)
    for one, other in zip(ends, wanted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert all(np.isfinite(one).all() for one in ends)


@pytest.mark.skipif(ON_JAX, reason="of the TensorFlow backend")
def test_an_optimizer_of_other_devices_is_refused():
    optimizer = keras.optimizers.SGD(0.1)
    with strategy_scope("mirrored"):
        model = Small()
    with pytest.raises(ValueError, match="same strategy"):
        model.compile(optimizer, "sparse_categorical_crossentropy")


def halves(folder, *splits):
    """Four steps on each of the splits, the later ones from the checkpoint of those before."""
    data, logs = batches(4 * len(splits)), []
    keras.utils.set_random_seed(7)
    for number, (replicas, micro_batches) in enumerate(splits):
        with strategy_scope("mirrored" if replicas > 1 else "none"):
            model = Small()
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(Adam(0.01), loss, micro_batches=micro_batches, seed=3)
            model.optimizer.build(model.trainable_variables)
        begin = 4 * number
        if begin:
            checkpoints.restore(folder / f"step-{begin}", model)
        else:
            for weight in model.weights:
                weight.assign(np.random.default_rng(weight.shape[-1]).normal(0, 0.1, weight.shape))
        steps = Steps()
        model.fit(dataset(data[begin : begin + 4]), verbose=0, callbacks=[steps])
        logs += steps.logs
        checkpoints.save(folder, model, begin + 4)
    return logs, [keras.ops.convert_to_numpy(one) for one in model.weights], {}


@pytest.fixture(scope="module")
def on_one_device(tmp_path_factory):
    return halves(tmp_path_factory.mktemp("one"), ONE, ONE)


@pytest.mark.parametrize("into", [ONE, *KINDS[:2]], ids=lambda split: f"{split[0]} x {split[1]}")
def test_a_checkpoint_goes_on_with_any_split(into, tmp_path, on_one_device):
    same(halves(tmp_path, KINDS[0], into), on_one_device)


def of_a_transformer(split=ONE, recompute=False):
    from kt2t.features import Text
    from kt2t.losses.cross_entropy import CrossEntropy
    from kt2t.models import Transformer

    draw = np.random.default_rng(6)

    def rows(count):
        """Each row holds two examples, of any lengths, and padding."""
        segments = np.sort(draw.integers(0, 3, (count, 9)), 1)[:, ::-1].astype("int32")
        segments = np.where(segments == 2, 1, np.where(segments == 1, 2, 0)).astype("int32")
        return draw.integers(2, WORDS, (count, 9)).astype("int32") * (segments > 0), segments

    data = []
    for count in (4, 5, 3):
        (inputs, inputs_segments), (targets, targets_segments) = rows(count), rows(count)
        features = {
            "inputs": inputs,
            "inputs_segments": inputs_segments,
            "targets": targets,
            "targets_segments": targets_segments,
        }
        data.append((features, targets, (targets_segments > 0).astype("float32")))

    keras.utils.set_random_seed(7)
    with strategy_scope("mirrored" if split[0] > 1 else "none"):
        texts = {name: Text(WORDS) for name in ("inputs", "targets")}
        sizes = {"num_layers": 1, "hidden_dim": 8, "intermediate_dim": 16, "num_heads": 2, "dropout": 0.0}
        model = Transformer(texts, recompute=recompute, **sizes)
        model.build()
        model.compile(
            keras.optimizers.SGD(0.5, global_clipnorm=0.5), CrossEntropy(0.1), micro_batches=split[1], seed=3
        )
    steps = Steps()
    model.fit((one for one in data), verbose=0, callbacks=[steps])
    return steps.logs, [keras.ops.convert_to_numpy(one) for one in model.weights], {}


@SPLITS
def test_recomputed_activations_and_packed_rows_of_a_transformer(split):
    same(of_a_transformer(split, recompute=True), baseline(of_a_transformer), step=2e-5)


@pytest.mark.skipif(ON_JAX, reason="TensorFlow's replicas")
def test_xla_for_several_replicas_is_refused_on_processors():
    with strategy_scope("mirrored"):
        model = Small()
        with pytest.raises(ValueError, match="XLA cannot compile a step for 2 replicas"):
            model.compile("sgd", "mse", jit_compile=True)
