from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.training.loss_tracker import LossTracker, counter
from kt2t.training.objective import Sums

tensor = keras.ops.convert_to_tensor


def test_the_epochs_loss_is_a_ratio_of_sums():
    tracker = LossTracker([1.0, 0.5], ["a", "b"])
    tracker.record([Sums(tensor(6.0), tensor(2.0)), Sums(tensor(1.0), tensor(1.0))])
    tracker.record([Sums(tensor(1.0), tensor(5.0)), Sums(tensor(3.0), tensor(1.0))])
    found = {name: float(value) for name, value in tracker.result().items()}
    assert found == pytest.approx({"a_loss": 1.0, "b_loss": 2.0, "loss": 1.0 + 1.0})


def test_an_auxiliary_loss_is_a_mean_over_steps_apart_from_the_loss():
    tracker = LossTracker([1.0])
    for auxiliary in (1.0, 3.0):
        tracker.record([Sums(tensor(6.0), tensor(2.0))], auxiliary=tensor(auxiliary))
    assert float(tracker.auxiliary()) == 2.0
    assert {name: float(value) for name, value in tracker.result().items()} == {"loss": 3.0}


def test_the_models_own_loss_is_the_loss():
    tracker = LossTracker([])
    for own in (1.0, 3.0):
        tracker.record([], own=tensor(own))
    assert {name: float(value) for name, value in tracker.result().items()} == {"loss": 2.0}
    tracker.reset_state()
    assert float(tracker.result()["loss"]) == 0.0


def test_what_is_not_finite_can_be_left_out():
    tracker = LossTracker([1.0])
    for total in (4.0, np.nan):
        tracker.record([Sums(tensor(total), tensor(2.0))], auxiliary=tensor(total), only_finite=True)
    assert float(tracker.result()["loss"]) == 2.0 and float(tracker.auxiliary()) == 2.0


def test_a_counter_is_the_same_on_every_replica():
    assert counter((2,), "x").aggregation == "only_first_replica" and counter((), "n", "int32").dtype == "int32"
