from __future__ import annotations

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="replicas are TensorFlow's")


def replicas(name):
    import tensorflow as tf

    from kt2t.training.replicas import Replicas
    from kt2t.training.strategies import strategy_scope

    with strategy_scope(name):
        return Replicas(tf.distribute.get_strategy())


def test_who_there_is():
    one, two = replicas("none"), replicas("mirrored")
    assert (one.count, one.local, one.workers, one.worker, one.divided) == (1, 1, 1, 0, False)
    assert (two.count, two.local, two.workers, two.worker, two.divided) == (2, 2, 1, 0, True)
    assert not one.on_tpu and not two.on_tpu


def test_each_replica_gets_its_share_and_what_all_get():
    import tensorflow as tf

    both = replicas("mirrored")

    @tf.function
    def step(a, b, all_of_them):
        def one(share, same):
            return {"sum": share["x"] + same, "index": tf.identity(both.index())[None]}

        return both.together(both.run(one, [{"x": a}, {"x": b}], all_of_them))

    found = step(tf.constant([1.0, 2.0]), tf.constant([3.0]), tf.constant(10.0))
    np.testing.assert_array_equal(found["sum"], [11, 12, 13])
    np.testing.assert_array_equal(found["index"], [0, 1])


def test_sums_are_over_all_replicas_and_known_to_each():
    import tensorflow as tf

    both = replicas("mirrored")

    @tf.function
    def step():
        shares = [tf.constant([1.0, 2.0]), tf.constant([10.0, 20.0])]
        values = both.run(lambda one: both.summed([one, one[0]]), shares)
        return both.first(values), both.together(values[0])

    (vector, number), everyone = step()
    np.testing.assert_array_equal(vector, [11, 22])
    assert float(number) == 11
    np.testing.assert_array_equal(everyone, [11, 22, 11, 22])
    assert both.summed([]) == [] and replicas("none").summed([3]) == [3]


def test_a_process_speaks_once_for_each_of_its_replicas():
    import tensorflow as tf

    assert int(replicas("none").everywhere(tf.constant(3))) == 3
    both = replicas("mirrored")
    assert int(tf.function(both.everywhere)(tf.constant(3))) == 3 * both.local


def test_values_of_a_run_return_to_the_replica_that_they_came_from():
    import tensorflow as tf

    both = replicas("mirrored")

    @tf.function
    def step():
        first = both.run(lambda one: one * 2.0, [tf.constant([1.0]), tf.constant([5.0])])
        return both.together(both.again(lambda one: one + tf.cast(both.index(), tf.float32), first))

    np.testing.assert_array_equal(step(), [2, 11])


@pytest.mark.parametrize("fails", [False, True])
def test_what_keras_does_on_a_replica_is_left_to_us_and_given_back(fails):
    from kt2t.training.replicas import left_to_us

    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=3)
    own = keras.optimizers.Optimizer._all_reduce_sum_gradients
    try:
        with left_to_us(optimizer):
            assert optimizer.ema_overwrite_frequency is None
            assert optimizer._all_reduce_sum_gradients([("gradient", "weight")]) == [("gradient", "weight")]
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert optimizer.ema_overwrite_frequency == 3
    assert keras.optimizers.Optimizer._all_reduce_sum_gradients is own
