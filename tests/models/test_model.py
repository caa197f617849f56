"""What all models share."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import forward, numbers

from kt2t.features import Label, Text
from kt2t.models import Model
from kt2t.models.model import segments_of
from kt2t.registry import register


@register
class CountingModel(Model):
    """Test model: one Dense layer over one-hot ids."""

    reads = frozenset({"speaker"})

    def __init__(self, features, **kwargs):
        super().__init__(features, **kwargs)
        self.dense = keras.layers.Dense(self.features["targets"].num_classes)
        self.calls = []

    def call(self, features, training=None):
        self.calls.append(sorted(features))
        return self.dense(keras.ops.sum(keras.ops.one_hot(features["inputs"], 7), axis=1))


FEATURES = {"inputs": Text(7), "targets": Label(3), "speaker": Label(2)}


def test_weights_follow_from_features_alone():
    model = CountingModel(FEATURES)
    model.build()
    assert model.built
    assert model.count_params() == 7 * 3 + 3
    assert model.calls == [["inputs", "inputs_segments", "speaker", "targets"]]
    model.build({"inputs": (None, 3)})
    assert len(model.calls) == 1


def test_weights_exist_after_a_first_call_too():
    model = CountingModel(FEATURES)
    assert numbers(forward(model)({"inputs": np.array([[2, 3]]), "speaker": np.array([1])})).shape == (1, 3)
    assert model.count_params() == 24
    assert model.dense._kt2t_path == "dense"


def test_features_may_be_nodes():
    model = CountingModel({"inputs": {"type": "Text", "vocabulary_size": 7}, "targets": Label(3)})
    assert model.features == {"inputs": Text(7), "targets": Label(3)}


def test_segments_are_ones_where_a_batch_has_none():
    ids = np.array([[4, 5, 0]])
    assert numbers(segments_of({"inputs": ids}, "inputs")).tolist() == [[1, 1, 1]]
    given = np.array([[1, 1, 0]])
    assert segments_of({"inputs": ids, "inputs_segments": given}, "inputs") is given


def test_what_a_layer_refuses_while_it_is_built_begins_with_the_option():
    class Refusing(keras.layers.Layer):
        def call(self, x):
            raise ValueError("num_heads: 3 heads do not divide key_dim 16.")

    model = CountingModel(FEATURES)
    model.dense = Refusing()
    with pytest.raises(ValueError, match="^num_heads: 3 heads do not divide key_dim 16.$"):
        model.build()
    assert keras.config.is_traceback_filtering_enabled()


def test_refusals():
    with pytest.raises(ValueError, match="CountingModel does not read 'tone'; it takes inputs, targets, speaker"):
        CountingModel({**FEATURES, "tone": Label(2)})
    with pytest.raises(ValueError, match="there is no 'targets'"):
        CountingModel({"inputs": Text(7)})
