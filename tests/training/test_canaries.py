"""Defects of Keras and TensorFlow that kt2t works around. A test here fails when one is mended: then the workaround may go."""

from __future__ import annotations

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("of the TensorFlow backend", allow_module_level=True)

import tensorflow as tf

from kt2t.training.strategies import strategy_scope

DRAW = np.random.default_rng(0)
X = DRAW.random((8, 3)).astype("float32")
Y = DRAW.random((8, 2)).astype("float32")
WEIGHTS = np.array([1, 0, 0, 0, 1, 1, 1, 1], "float32")


def plain(replicas=1, optimizer=None, loss="mse", **options):
    """A model of Keras's own."""
    keras.utils.set_random_seed(3)
    with strategy_scope("mirrored" if replicas > 1 else "none"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(optimizer() if optimizer else keras.optimizers.SGD(0.5), loss, **options)
    return model


def fitted(model, **options):
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, **options)
    return [keras.ops.convert_to_numpy(one) for one in model.weights]


def differ(some, others):
    return max(np.abs(one - other).max() for one, other in zip(some, others, strict=True)) > 1e-4


def test_gradients_are_not_accumulated_on_replicas():
    """keras#20582; `SharedTrainer._check_optimizer`, `compile(micro_batches=…)`."""
    model = plain(2, lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    with pytest.raises(RuntimeError, match="merge_call"):
        fitted(model)


def test_several_steps_do_not_run_in_one_call_on_replicas():
    """keras#19246; `stepping.several`."""
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():  # with sums as Keras would have them made
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile("sgd", "mse", steps_per_execution=3)
    with pytest.raises((tf.errors.OpError, RuntimeError, ValueError)):
        model.fit(tf.data.Dataset.from_tensor_slices((X, Y)).batch(2).repeat(), steps_per_epoch=6, epochs=2, verbose=0)


def test_xla_does_not_compile_a_step_of_several_processors():
    """No upstream issue known; `Trainer._check_compilation`."""
    model = plain(2, jit_compile=True)
    with pytest.raises((tf.errors.OpError, RuntimeError, ValueError)):
        fitted(model)


def test_what_several_workers_come_to_is_not_brought_together(monkeypatch):
    """keras#20585; `Trainer.make_train_function`: a mean over axis 0 is asked of a scalar."""
    from keras.src.backend.tensorflow.trainer import reduce_per_replica

    workers = tf.distribute.MultiWorkerMirroredStrategy._from_local_devices(["CPU:0", "CPU:1"])
    monkeypatch.setattr(workers.extended, "_num_workers", 2)  # which makes Keras take its way for several workers
    with pytest.raises((tf.errors.OpError, ValueError)):
        reduce_per_replica({"loss": tf.constant(1.0)}, workers, "auto")


def test_gradients_are_clipped_before_they_are_summed():
    """tensorflow#33929; `Clipping`, `replicas.left_to_us`."""
    made = lambda: keras.optimizers.SGD(0.5, global_clipnorm=0.1)  # noqa: E731
    assert differ(fitted(plain(2, made)), fitted(plain(1, made)))


def test_the_loss_is_a_mean_of_the_replicas_means():
    """No upstream issue known; `objective.share`."""
    loss = lambda: keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")  # noqa: E731
    many, one = plain(2, loss=loss()), plain(1, loss=loss())
    assert differ(fitted(many, sample_weight=WEIGHTS), fitted(one, sample_weight=WEIGHTS))


def test_metrics_do_not_see_the_weights():
    """No upstream issue known, since Keras means it; `compile` hands all metrics on as `weighted_metrics`."""
    model = plain(metrics=["mae"])
    found = model.evaluate(X, Y, sample_weight=WEIGHTS, batch_size=8, verbose=0, return_dict=True)
    errors = np.abs(model.predict(X, verbose=0) - Y).mean(1)
    assert found["mae"] == pytest.approx(errors.mean(), rel=1e-5)
    assert found["mae"] != pytest.approx((errors * WEIGHTS).sum() / WEIGHTS.sum(), rel=1e-3)


def test_a_scope_of_recomputation_breaks_a_compiled_fit():
    """keras#21207; `layers.recomputation`."""
    with keras.RematScope(mode="full"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(Exception, match=r".+"):
        fitted(model)


def test_weights_that_are_not_numbers_stop_nobody():
    """No upstream issue known; `Trainer` skips the step, and `training.watching` looks at the weights."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.layers[0].kernel.assign(np.full((3, 16), np.nan))
    history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]).history
    assert len(history["loss"]) == 2 and np.isfinite(history["loss"]).all()


def test_keras_still_sums_where_it_is_kept_from_it():
    """No issue: the private method that `replicas.left_to_us` takes over."""
    assert callable(keras.optimizers.Optimizer._all_reduce_sum_gradients)
    assert hasattr(keras.optimizers.SGD(0.1), "_distribution_strategy")
    assert hasattr(keras.optimizers.SGD(0.1), "_overwrite_model_variables_with_average_value")


def test_a_missing_weight_of_a_generator_is_an_optional():
    """No upstream issue known, Keras unwraps it in its own step; `stepping.without_optionals`."""
    from keras.src.trainers.data_adapters.generator_data_adapter import GeneratorDataAdapter

    *_, weight = next(iter(GeneratorDataAdapter((X, Y, None) for _ in range(2)).get_tf_dataset()))
    assert isinstance(weight, tf.experimental.Optional)


def test_what_is_computed_again_drops_something_else():
    """keras#21207 and below it; `layers.dropout` and `ops.randomness`, in place of Keras's dropout and its state."""
    dropout = keras.layers.Dropout(0.5)

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.recompute_grad(lambda x: dropout(1.0 * x, training=True))(x)
        return y, tape.gradient(y, x)

    y, gradient = run(tf.ones((1, 1000)))
    assert 0.4 < np.mean((y.numpy() > 0) == (gradient.numpy() > 0)) < 0.6


def test_a_functional_model_changes_the_bases_of_its_class():
    """No upstream issue known, since Keras means it; `SharedTrainer.__init__` refuses one."""

    class Own(keras.Model):
        pass

    before = Own.__bases__
    x = keras.Input((3,))
    Own(x, keras.layers.Dense(2)(x))
    assert Own.__bases__ != before


def test_slurm_without_gpus_and_in_another_order_than_that_of_names(monkeypatch):
    """No upstream issue known; `slurm.tasks_of_step`."""
    for name, value in {
        "PATH": "",
        "SLURM_PROCID": "0",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "n[9-10]",
        "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    made = tf.distribute.cluster_resolver.SlurmClusterResolver
    with pytest.raises((OSError, RuntimeError, ValueError)):
        made().cluster_spec()
    told = made(gpus_per_node=2, gpus_per_task=1, auto_set_gpu=False)
    addresses = told.cluster_spec().as_dict()["worker"]
    assert told.task_id == 0 and addresses[0].startswith("n10:")  # SLURM's task 0 is on n9


def test_kubernetes_takes_the_addresses_of_nodes_for_those_of_pods():
    """No upstream issue known; `pods.addresses_of_pods`."""
    from types import SimpleNamespace

    pod = SimpleNamespace(
        metadata=SimpleNamespace(name="train-0"),
        status=SimpleNamespace(phase="Running", host_ip="10.0.0.1", pod_ip="10.1.0.1"),
    )
    client = SimpleNamespace(list_pod_for_all_namespaces=lambda label_selector: SimpleNamespace(items=[pod]))
    told = tf.distribute.cluster_resolver.KubernetesClusterResolver(override_client=client)
    assert told.cluster_spec().as_dict() == {"worker": ["10.0.0.1:8470"]} and told.task_id is None
