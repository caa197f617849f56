from __future__ import annotations

import keras
import numpy as np

from kt2t.ops.collected import Collected

number = keras.ops.convert_to_numpy


def variable(value):
    return keras.Variable(np.asarray(value, "float32"), trainable=False)


def test_what_is_assigned_is_collected_and_not_written():
    one, other, frozen = variable([1.0]), variable([2.0]), variable([3.0])
    with Collected([(other, np.array([5.0], "float32"))]) as scope:
        one.assign(one + 1.0)
        one.assign(one * 10.0)
        other.assign(other + frozen)
    assert len(scope.variables) == 2 and scope.variables[0] is one and scope.variables[1] is other
    assert [float(number(value)[0]) for value in scope.values([one, other, frozen])] == [20.0, 8.0, 3.0]
    assert [float(number(value)[0]) for value in (one, other, frozen)] == [1.0, 2.0, 3.0]


def test_losses_of_layers_are_collected():
    class Costly(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.sum(x))
            return x

    layer = Costly()
    with Collected() as scope:
        layer(np.array([1.0, 2.0], "float32"))
    assert [float(loss) for loss in scope.losses] == [3.0] and layer.losses == []


def test_a_regularizer_sees_its_weight():
    layer = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.5), kernel_initializer="ones")
    layer.build((None, 3))
    with Collected():
        assert [float(loss) for loss in layer.losses] == [1.5]
