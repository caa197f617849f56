from __future__ import annotations

import keras
import pytest

from kt2t.training.strategies import strategy


@pytest.mark.parametrize("name", ["none", "auto"])
def test_one_device_needs_no_scope(name):
    with strategy(name) as scope:
        assert scope is None


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="mirrored is TensorFlow's")
def test_mirrored_is_tensorflows():
    import tensorflow as tf

    with strategy("mirrored"):
        assert isinstance(tf.distribute.get_strategy(), tf.distribute.MirroredStrategy)


@pytest.mark.parametrize("name", ["multi_worker", "tpu"])
def test_what_is_not_built_is_told(name):
    with pytest.raises(ValueError, match="is not built yet"):
        strategy(name)


def test_an_unknown_name_is_told():
    with pytest.raises(ValueError, match="there is no 'many'"):
        strategy("many")
