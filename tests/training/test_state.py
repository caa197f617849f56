from __future__ import annotations

import keras
import numpy as np

from kt2t.training.state import Carry, are_statistics


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
