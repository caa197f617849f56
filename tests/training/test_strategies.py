from __future__ import annotations

import keras
import pytest

from kt2t.training.strategies import strategy_scope


@pytest.mark.parametrize("name", ["none", "auto"])
def test_one_device_needs_no_scope(name):
    with strategy_scope(name) as scope:
        assert scope is None


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="mirrored is TensorFlow's")
def test_mirrored_is_tensorflows():
    import tensorflow as tf

    with strategy_scope("mirrored"):
        assert isinstance(tf.distribute.get_strategy(), tf.distribute.MirroredStrategy)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="workers are TensorFlow's")
def test_workers_that_nothing_tells_of_are_not_waited_for(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NODELIST", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="finds no other workers"):
        strategy_scope("multi_worker")


def test_an_unknown_name_is_told():
    with pytest.raises(ValueError, match="there is no 'many'"):
        strategy_scope("many")
