"""Weights of one model in another: those that fit by path and shape, and what is told of the others."""

import keras
import numpy as np
import pytest

from kt2t.errors import RunError
from kt2t.training import checkpoints
from kt2t.training.warm_start import take_weights


class Net(keras.Model):
    """Named layers of given widths, each from 3 numbers."""

    def __init__(self, **widths):
        super().__init__()
        for name, width in widths.items():
            layer = keras.layers.Dense(width, kernel_initializer="random_normal", bias_initializer="random_normal")
            layer.build((None, 3))
            setattr(self, name, layer)
        self.built = True


def _saved(folder, step=7, **widths):
    net = Net(**widths)
    net.compile("adam", "mse")
    net.optimizer.build(net.trainable_variables)
    net.optimizer.iterations.assign(step)
    return net, checkpoints.save(folder, net, step)


def _value(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def test_what_fits_is_taken_and_the_rest_stays_and_is_told(tmp_path):
    there, path = _saved(tmp_path, first=4, second=5, old=2)
    here = Net(first=4, second=6, new=3)
    before = {name: _value(getattr(here, name).kernel) for name in ("second", "new")}
    taken = take_weights(path, here)
    np.testing.assert_array_equal(_value(here.first.kernel), _value(there.first.kernel))
    np.testing.assert_array_equal(_value(here.first.bias), _value(there.first.bias))
    for name, kernel in before.items():
        np.testing.assert_array_equal(_value(getattr(here, name).kernel), kernel)
    assert taken.taken == {"first.kernel": [3, 4], "first.bias": [4]}
    assert taken.missing == ["new.kernel", "new.bias"] and taken.unused == ["old.bias", "old.kernel"]
    assert taken.reshaped == {"second.kernel": ([3, 5], [3, 6]), "second.bias": ([5], [6])}
    said = taken.summary()
    assert said.startswith(f"2 of 6 weights taken from '{path}' (step 7); 2 not there: new.kernel, new.bias; ")
    assert "2 of another shape there: second.kernel, second.bias" in said and "2 only there: old.bias" in said
    assert "of another shape: second.kernel [3, 5] there, [3, 6] here" in taken.lines() and len(taken.lines()) == 8


def test_the_optimizer_stays_fresh(tmp_path):
    _, path = _saved(tmp_path, first=4)
    here = Net(first=4)
    here.compile("adam", "mse")
    here.optimizer.build(here.trainable_variables)
    take_weights(path, here)
    assert int(here.optimizer.iterations) == 0


def test_nothing_that_fits_is_refused_with_the_nearest_names(tmp_path):
    _, path = _saved(tmp_path, encoder_norm=4, head=5)
    here = Net(encoder_norms=4, head=6)
    kernel = _value(here.encoder_norms.kernel)
    with pytest.raises(RunError, match="no weight of .*step-7' fits this model") as raised:
        take_weights(path, here)
    told = str(raised.value)
    assert "head.kernel has shape [3, 5] there, [3, 6] here" in told
    assert "encoder_norms.kernel is not there (nearest: encoder_norm.kernel)" in told and raised.value.status == 4
    np.testing.assert_array_equal(_value(here.encoder_norms.kernel), kernel)


def test_long_lists_are_cut_in_the_line_and_whole_in_the_lines(tmp_path):
    _, path = _saved(tmp_path, first=4)
    taken = take_weights(path, Net(first=4, a=1, b=1, c=1, d=1))
    assert "8 not there: a.kernel, a.bias, b.kernel, b.bias and 4 more" in taken.summary()
    assert sum(line.startswith("not there: ") for line in taken.lines()) == 8


def test_a_damaged_checkpoint_is_refused(tmp_path):
    _, path = _saved(tmp_path, first=4)
    (path / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="has 0 bytes instead of"):
        take_weights(path, Net(first=4))
