from __future__ import annotations

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("of the TensorFlow backend", allow_module_level=True)

import tensorflow as tf

from kt2t.run.graph_costs import costs, flop


def variable(*shape):
    return tf.Variable(np.ones(shape, "float32"))


def test_a_matrix_product_forward_and_back():
    first, second, frozen = variable(3, 5), variable(5, 2), variable(2, 7)
    x = tf.TensorSpec((4, 3), tf.float32)

    def loss(x):
        return tf.reduce_sum(tf.square(tf.tanh(x @ first) @ second @ frozen))

    found, kept = costs(loss, [first, second], (x,))
    forward = 4 * 3 * 5 + 4 * 5 * 2 + 4 * 2 * 7
    backward = 4 * 3 * 5 + 2 * 4 * 5 * 2 + 4 * 2 * 7  # none by x, none by what is frozen
    assert found == 2 * (forward + backward)
    assert kept == 4 * (4 * 5 + 4 * 7)  # the tanh and what is squared; x itself comes from outside


def test_a_convolution_forward_and_back():
    kernel, separable = variable(3, 3, 2, 4), variable(3, 3, 4, 1)
    x = tf.TensorSpec((5, 8, 8, 2), tf.float32)

    def loss(x):
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.reduce_sum(tf.nn.depthwise_conv2d(y, separable, [1, 1, 1, 1], "SAME"))

    found, _ = costs(loss, [kernel, separable], (x,))
    dense, depthwise = 2 * (5 * 64 * 4) * 9 * 2, 2 * (5 * 64 * 4) * 9
    assert found == 2 * dense + 3 * depthwise


@pytest.mark.parametrize(
    ("equation", "left", "right", "products"),
    [("bti,io->bto", (2, 3, 4), (4, 5), 2 * 3 * 4 * 5), ("...i,io->...o", (2, 3, 4), (4, 5), 2 * 3 * 4 * 5),
     ("ebi,eio->ebo", (6, 2, 4), (6, 4, 5), 6 * 2 * 4 * 5)],
)  # fmt: skip
def test_einsum(equation, left, right, products):
    specs = [tf.TensorSpec(shape, tf.float32) for shape in (left, right)]
    graph = tf.function(lambda *given: tf.einsum(equation, *given)).get_concrete_function(*specs).graph
    assert flop(graph) == 2 * products


def test_recurrence_counts_as_often_as_it_runs():
    layer = keras.layers.SimpleRNN(4)
    layer.build((2, 7, 3))

    def forward(x):
        return layer(x)

    graph = tf.function(forward).get_concrete_function(tf.TensorSpec((2, 7, 3), tf.float32)).graph
    assert flop(graph) == 2 * 7 * (2 * 3 * 4 + 2 * 4 * 4)
    variables = [one.value for one in layer.trainable_variables]
    found, kept = costs(lambda x: tf.reduce_sum(forward(x)), variables, (tf.TensorSpec((2, 7, 3), tf.float32),))
    assert found == flop(graph) + 7 * (2 * 2 * 3 * 4 + 2 * 2 * 2 * 4 * 4)  # none by x
    assert kept >= 4 * 7 * 2 * 4  # the state of each turn


def test_a_branch_counts_once():
    w, x = variable(3, 3), tf.TensorSpec((2, 3), tf.float32)
    forked = tf.function(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x @ w @ w, lambda: x @ w), autograph=False)
    assert flop(forked.get_concrete_function(x).graph) == 2 * 2 * (2 * 3 * 3)
