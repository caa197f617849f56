from __future__ import annotations

import keras
import numpy as np
from keras import ops

from kt2t.ops.autodiff import after, pullback

number = keras.ops.convert_to_numpy


def test_gradients_are_pulled_back_through_a_function():
    x, y = ops.convert_to_tensor([1.0, 2.0]), ops.convert_to_tensor([3.0, 5.0])
    (product, square), pull = pullback(lambda x, y: (x * y, x * x), [x, y])
    np.testing.assert_array_equal(number(product), [3, 10])
    by_x, by_y = pull([ops.convert_to_tensor([1.0, 10.0]), ops.convert_to_tensor([0.5, 0.0])])
    np.testing.assert_array_equal(number(by_x), [3 + 0.5 * 2 * 1, 50])
    np.testing.assert_array_equal(number(by_y), [1, 20])


def test_the_gradient_by_what_is_not_used_is_zero_and_rows_of_a_table_are_dense():
    table, idle = ops.ones((4, 2)), ops.ones((3,))
    _, pull = pullback(lambda table, idle: [ops.take(table, [1, 1], axis=0)], [table, idle])
    by_table, by_idle = pull([ops.ones((2, 2))])
    np.testing.assert_array_equal(number(by_table), [[0, 0], [2, 2], [0, 0], [0, 0]])
    assert number(by_idle).tolist() == [0, 0, 0]


def test_what_comes_after_stays_as_it_is():
    x = np.array([1.0, np.inf], "float32")
    for other in (np.array([np.nan], "float32"), np.zeros((0,), "float32"), np.array([[2.0]], "float32")):
        (found,) = after([ops.convert_to_tensor(x)], [ops.convert_to_tensor(other)])
        np.testing.assert_array_equal(number(found), x)
