from __future__ import annotations

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="steps as TensorFlow's graphs")


def dataset(*lengths):
    import tensorflow as tf

    rows = [np.arange(length, dtype="float32") for length in lengths]
    return tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=tf.TensorSpec((None,), tf.float32))


@pytest.mark.parametrize("eagerly", [False, True])
def test_one_graph_for_all_lengths_and_another_for_another_structure(eagerly):
    import tensorflow as tf

    from kt2t.training.stepping import compiled_step

    traced, prepared = [], []

    def step(data):
        traced.append(1)
        return tf.reduce_sum(data["x"] if isinstance(data, dict) else data)

    run = compiled_step(step, eagerly, False, prepared.append)
    batches = iter(dataset(2, 3, 5))
    found = [run(batches) for _ in range(3)]
    assert [float(sum_) for sum_, _ in found] == [1, 3, 10] and all(waited >= 0 for _, waited in found)
    assert len(traced) == (3 if eagerly else 1) and len(prepared) == 1
    named = iter(dataset(4).map(lambda x: {"x": x}))
    assert float(run(named)[0]) == 6 and len(prepared) == 2 and len(traced) == (4 if eagerly else 2)
    with pytest.raises(StopIteration):
        run(batches)


def test_one_graph_for_each_shape_where_all_of_it_must_be_known():
    import tensorflow as tf

    from kt2t.training.stepping import compiled_step

    shapes, prepared = [], []

    def step(data):
        shapes.append(tuple(data.shape))
        return tf.reduce_sum(data)

    run = compiled_step(step, False, False, prepared.append, fixed_shapes=True)
    batches = iter(dataset(2, 3, 2, 3, 2))
    assert [float(run(batches)[0]) for _ in range(5)] == [1, 3, 1, 3, 1]
    assert shapes == [(2,), (3,)] and len(prepared) == 1


def test_several_steps_in_a_call_and_fewer_where_the_data_ends():
    from kt2t.training.stepping import several

    run = several(lambda iterator: (next(iterator), 0.5), 3)
    data = iter(range(5))
    assert run(data) == (2, 1.5) and run(data) == (4, 1.0)
    with pytest.raises(StopIteration):
        run(data)


class Batches:
    """As kt2t's own: a dataset of the rows of one of several workers."""

    def __init__(self, workers=1, worker=0, failure=None):
        self.workers, self.worker, self.failure = workers, worker, failure

    def shared(self, workers, worker):
        return Batches(workers, worker)

    def dataset(self):
        return f"{self.worker} of {self.workers}"


def test_batches_are_read_as_the_share_of_this_worker_and_anything_else_as_it_is():
    from kt2t.training.stepping import readable

    assert readable(Batches()) == "0 of 1" and readable(Batches(), 3, 2) == "2 of 3"
    arrays = np.zeros(3)
    assert readable(arrays, 2, 1) is arrays


def test_what_kept_batches_from_being_read_is_told_as_itself():
    import tensorflow as tf

    from kt2t.training.stepping import raising_data_errors

    error = tf.errors.UnknownError(None, None, "a function failed")
    with pytest.raises(OSError, match="the disk"), raising_data_errors(None, Batches(failure=OSError("the disk"))):
        raise error
    with pytest.raises(tf.errors.UnknownError), raising_data_errors(Batches()):
        raise error


def test_a_missing_weight_is_none():
    import tensorflow as tf

    from kt2t.training.stepping import without_optionals

    empty = tf.experimental.Optional.empty(tf.TensorSpec((), tf.float32))
    x, weight = without_optionals((tf.constant(1.0), empty))
    assert float(x) == 1 and weight is None
