"""Replicas whose weights are made to differ, each on its own logical processor, and what the workers say of theirs."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kt2t.callbacks import ComparingReplicas
from kt2t.errors import DriftError

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="replicas are TensorFlow's")


class Team:
    """What the other workers know: the same, or not."""

    def __init__(self, same=True):
        self.same, self.told = same, []

    def differing(self, facts):
        self.told.append(facts["weights"])
        return [] if self.same else list(facts)


def comparing(name, team):
    """The callback with a model of two weights, made on the devices of a strategy."""
    import tensorflow as tf

    from kt2t.training.replicas import Replicas
    from kt2t.training.strategies import strategy_scope

    with strategy_scope(name):
        replicas = Replicas(tf.distribute.get_strategy())
        weights = [keras.Variable(np.full(shape, 0.5, "float32")) for shape in ((2, 3), (4,))]
    callback = ComparingReplicas(team)
    callback.set_model(SimpleNamespace(replicas=replicas, trainable_weights=weights))
    return callback, replicas, weights


def test_one_bit_of_one_replica_ends_it():
    team = Team()
    callback, replicas, weights = comparing("mirrored", team)
    callback.on_epoch_end(0)
    _, second = replicas.strategy.experimental_local_results(weights[1].value)
    second.assign(np.nextafter(second.numpy(), np.float32([0.5, 1, 0.5, 0.5])))
    with pytest.raises(DriftError, match="do not hold the same weights any more"):
        callback.on_epoch_end(1)
    (same, also), (first, other) = team.told
    assert same == also == first != other


def test_it_compares_once_an_epoch_before_an_evaluation_may_hide_it():
    """`EvaluatingAverages` puts the first replica's weights back on all of them."""
    team = Team()
    callback, replicas, weights = comparing("mirrored", team)
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
        callback.on_test_begin()
        callback.on_epoch_end(epoch)
    assert len(team.told) == 2
    _, second = replicas.strategy.experimental_local_results(weights[0].value)
    second.assign_add(np.ones((2, 3), "float32"))
    with pytest.raises(DriftError):
        callback.on_test_begin()


def test_another_worker_with_other_weights_ends_it():
    callback, *_ = comparing("mirrored", Team(same=False))
    with pytest.raises(DriftError):
        callback.on_epoch_end(0)


def test_on_one_device_nothing_is_compared():
    team = Team()
    comparing("none", team)[0].on_epoch_end(0)
    callback = ComparingReplicas(team)
    callback.set_model(SimpleNamespace(trainable_weights=[]))  # as on another backend
    callback.on_epoch_end(0)
    assert team.told == []
