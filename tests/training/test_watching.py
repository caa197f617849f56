from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.errors import NumericsError
from kt2t.training.trainer import Trainer
from kt2t.training.watching import EVERY, BadSteps, Watch, condition


def test_bad_steps_are_counted_over_the_epoch_and_remembered():
    steps = BadSteps(remembered=4)
    counts = []
    for step, finite in enumerate((True, False, False, True, False, True, True)):
        steps.update_state(keras.ops.convert_to_tensor(finite), step)
        counts.append(int(steps.result()))
    assert counts == [0, 1, 2, 2, 3, 3, 3]
    # one more than the step, at its remainder by 4: 1 lost its place to 5, which was good and leaves what was there
    assert keras.ops.convert_to_numpy(steps.latest).tolist() == [5, 2, 3, 0]
    steps.update_state(keras.ops.convert_to_tensor(False), 9)
    assert keras.ops.convert_to_numpy(steps.latest).tolist() == [5, 10, 3, 0]
    steps.reset_state()
    assert int(steps.result()) == 0 and keras.ops.convert_to_numpy(steps.latest).any()


def test_steps_are_noticed_once_and_counted_in_a_row_from_look_to_look():
    watch = Watch(max_bad_steps=4)
    assert watch.note([0, 2, 3, 0, 0, 0]) == [1, 2] and (watch.in_a_row, watch.is_over) == (2, False)
    assert watch.note([0, 2, 3, 4, 0, 6]) == [3, 5] and (watch.in_a_row, watch.is_over) == (3, False)
    assert watch.note([7, 8, 9, 4, 0, 6]) == [6, 7, 8] and (watch.in_a_row, watch.is_over) == (4, True)
    assert watch.note([7, 8, 9, 4, 0, 6]) == [] and watch.bad_steps == [1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_a_look_is_due_before_a_step_can_be_forgotten(steps):
    watch, since = Watch(1), 0
    looks = []
    for _ in range(200):
        since += steps
        if watch.is_due(steps):
            looks.append(since)
            since = 0
    assert looks and max(looks) <= EVERY + steps and (steps > EVERY or min(looks) >= EVERY)


@pytest.mark.parametrize("value", [1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_condition_tells_of_any_weight(value, dtype):
    weights = [keras.Variable(np.ones((3, 2)), dtype=dtype) for _ in range(3)]
    weights += [keras.Variable([5], dtype="int32")]
    weights[1].assign(np.array([[1, 1], [1, value], [1, 1]]))
    found = keras.ops.convert_to_numpy(condition(weights, keras.ops.convert_to_tensor([3, 0], "int32"))).tolist()
    assert found == [3, 0, int(np.isfinite(value))]


class Relu(Trainer):
    """Its hidden layer hides a weight that is not a number: the maximum of 0 and NaN is 0 in a fused kernel of a CPU."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = keras.layers.Dense(4, "relu"), keras.layers.Dense(1)
        self.hidden.build((None, 3))
        self.out.build((None, 4))
        self.built = True

    def call(self, x):
        return self.out(self.hidden(x))


class Spoil(keras.callbacks.Callback):
    def __init__(self, at):
        super().__init__()
        self.at = at
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == self.at:
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            self.model.hidden.kernel.assign(np.full((3, 4), np.nan))


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_a_weight_that_is_not_finite_ends_training_though_loss_and_gradients_are(steps_per_execution):
    model = Relu()
    model.compile("sgd", "mse", steps_per_execution=steps_per_execution)
    spoil = Spoil(at=4)
    with pytest.raises(NumericsError, match=r"though every gradient .* was: hidden\.kernel\. Lower"):
        model.fit(np.ones((400, 3)), np.ones((400, 1)), batch_size=2, verbose=0, callbacks=[spoil])
    assert spoil.steps * steps_per_execution <= 2 * EVERY + 2 * steps_per_execution


def test_the_end_of_fit_is_looked_at_too():
    model = Relu()
    model.compile("sgd", "mse")
    with pytest.raises(NumericsError, match="hidden.kernel"):
        model.fit(np.ones((6, 3)), np.ones((6, 1)), batch_size=2, verbose=0, callbacks=[Spoil(at=2)])
    model.hidden.kernel.assign(np.full((3, 4), 3e38))  # finite, though their sum is not
    model.optimizer.learning_rate = 0.0
    model.fit(np.ones((6, 3)), np.ones((6, 1)), batch_size=2, verbose=0)


@pytest.mark.parametrize(("most", "ends"), [(3, True), (4, False)])
def test_so_many_in_a_row_end_training_even_between_two_looks(most, ends, caplog):
    x = np.ones((40, 3), "float32")
    x[[2, 5, 6, 7, 11]] = np.nan
    model = Relu()
    model.compile("sgd", "mse", max_bad_steps=most)
    told = []
    model.on_not_finite = lambda steps, over: told.append((steps, over)) or "And this."
    if ends:
        with pytest.raises(NumericsError, match=r"of 3 steps in a row, .* the data\. And this\."):
            model.fit(x, np.ones((40, 1)), batch_size=1, shuffle=False, verbose=0)
    else:
        model.fit(x, np.ones((40, 1)), batch_size=1, shuffle=False, verbose=0)
    assert told == [([2, 5, 6, 7, 11], ends)]


def test_without_a_listener_the_steps_are_logged(caplog):
    x = np.ones((8, 3), "float32")
    x[[2, 5]] = np.inf
    model = Relu()
    model.compile("sgd", "mse")
    with caplog.at_level("WARNING", logger="kt2t"):
        model.fit(x, np.ones((8, 1)), batch_size=1, shuffle=False, verbose=0)
    assert "a gradient was not finite: step 2, 5" in caplog.text
