from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.layers import BatchNorm
from kt2t.training.state import Carry, are_statistics
from kt2t.training.trainer import Trainer


def test_statistics_move_by_the_weighted_mean_of_the_parts_and_other_state_goes_on():
    carry = Carry([np.float32(10.0), np.int32(3)], [True, False])
    carried = carry.start()
    for value, fraction in ((14.0, 0.25), (18.0, 0.75)):
        begun = carry.begin(carried)
        assert float(begun[0]) == 10.0
        carried = carry.end(carried, [np.float32(value), begun[1] + 1], fraction)
    statistic, counter = carry.after(carried)
    assert float(statistic) == 10 + 0.25 * 4 + 0.75 * 8 and int(counter) == 5
    statistic, counter = carry.after(carried, lambda tensors: [2 * one for one in tensors])
    assert float(statistic) == 10 + 2 * 7 and int(counter) == 5


def test_only_float_weights_that_are_not_trained_are_statistics():
    class Holder(keras.Model):
        def __init__(self):
            super().__init__()
            self.trained = self.add_weight(shape=(1,), name="trained")
            self.mean = self.add_weight(shape=(1,), trainable=False, name="mean")
            self.steps = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="steps")
            self.seeds = keras.random.SeedGenerator(1)

    model = Holder()
    assert are_statistics([model.trained, model.mean, model.steps, model.seeds.state], model) == [
        False, True, False, False]  # fmt: skip


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="`test_tensorflow_gradients.py` does this on TensorFlow")
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_on_jax_does_not_choose_frozen_weights(micro_batches):
    import jax

    class Frozen(Trainer):
        """Two big weights that no step changes, and a statistic that each step does."""

        def __init__(self):
            super().__init__()
            self.frozen, self.dense, self.norm = keras.layers.Dense(977), keras.layers.Dense(2), BatchNorm()
            self.frozen.build((None, 3)), self.dense.build((None, 977)), self.norm.build((None, 977))
            self.frozen.trainable = False
            self.constant = self.add_weight(shape=(977, 977), trainable=False, name="constant")
            self.built = True

        def call(self, x, training=False):
            return self.dense(self.norm(self.frozen(x) @ self.constant, training=training))

    model = Frozen()
    model.compile("sgd", "mse", micro_batches=micro_batches)
    model.optimizer.build(model.trainable_variables)
    variables = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables, model.metrics_variables)
    state = tuple([one.value for one in group] for group in variables)
    data = (np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    text = str(jax.make_jaxpr(model.train_step)(state, data))
    chosen = [line for line in text.splitlines() if "select_n" in line]
    assert any("f32[977]" in line for line in chosen)  # the moving averages
    assert not any("f32[3,977]" in line or "f32[977,977]" in line for line in chosen)
