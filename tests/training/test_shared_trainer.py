from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.errors import RecipeError
from kt2t.training.trainer import Trainer


def model():
    class Dense(Trainer):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)
            self.dense.build((None, 3))
            self.built = True

        def call(self, x):
            return self.dense(x)

    return Dense()


def test_nothing_of_the_training_is_part_of_the_model():
    one = model()
    one.compile("adam", "mse", metrics=["mae", keras.metrics.MeanSquaredError()])
    one.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert [variable.shape for variable in one.variables] == [(3, 2), (2,)]


def test_clipping_and_metrics_survive_saving(tmp_path):
    one = model()
    one.compile(keras.optimizers.Adam(global_clipnorm=0.5), "mse", metrics=["mae"], max_bad_steps=3)
    config = one.get_compile_config()
    assert config["optimizer"]["config"]["global_clipnorm"] == 0.5
    assert (config["loss"], config["metrics"], config["max_bad_steps"]) == ("mse", ["mae"], 3)
    assert one.optimizer.global_clipnorm is None


def test_before_compile_there_is_nothing_to_save():
    assert model().get_compile_config() == {}
    assert model().metrics == []


def test_compiling_again_starts_over():
    one = model()
    for loss in ("mse", "mae"):
        one.compile("sgd", loss)
        found = one.evaluate(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
        error = one.predict(np.ones((4, 3)), verbose=0)
        expected = (error**2).mean() if loss == "mse" else np.abs(error).mean()
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scaled", [False, True])
def test_what_would_train_wrongly_is_refused_with_the_way_out(scaled):
    optimizer = keras.optimizers.Adam(gradient_accumulation_steps=2)
    with pytest.raises(RecipeError, match="optimizer.gradient_accumulation_steps: 2: .*take train.micro_batches"):
        model().compile(keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer, "mse")


def test_metrics_of_both_kinds_must_have_one_form():
    with pytest.raises(ValueError, match="both as a list or both as a dict"):
        model().compile("sgd", "mse", metrics=["mae"], weighted_metrics={"a": "mae"})


def test_a_metric_function_with_one_number_for_a_batch_goes_with_weights():
    def worst(y_true, y_pred):
        return keras.ops.max(keras.ops.abs(y_true - y_pred))

    one = model()
    one.compile("sgd", "mse", metrics=[worst])
    x, y = np.arange(12.0).reshape(4, 3), np.zeros((4, 2))
    found = one.evaluate(x, y, sample_weight=np.array([1.0, 2.0, 0.0, 1.0]), verbose=0, return_dict=True)
    assert found["worst"] == pytest.approx(np.abs(one.predict(x, verbose=0)).max(), rel=1e-5)
