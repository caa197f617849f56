"""Nobody has to call `build`: what needs weights makes them, the same ones as ever."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import ON_JAX, numbers
from model_harness import text_batch

from kt2t.features import Text
from kt2t.losses import CrossEntropy
from kt2t.models import Transformer
from kt2t.ops.paths import attribute_paths

SIZES = {"num_layers": 1, "hidden_dim": 8, "intermediate_dim": 8, "num_heads": 2}
BATCH = text_batch()


def fresh(seed=1):
    keras.utils.set_random_seed(seed)
    return Transformer({"inputs": Text(12), "targets": Text(12)}, **SIZES)


def built():
    model = fresh()
    model.build()
    return model


def test_a_summary_shows_the_parameters():
    lines = []
    fresh().summary(print_fn=lambda text, **_: lines.append(text))
    assert f"Total params: {built().count_params():,}" in "\n".join(lines)


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.count_params(),
        lambda model: model.summary(print_fn=lambda *_, **__: None),
        lambda model: model.get_weights(),
        lambda model: model(BATCH),
    ],
    ids=["count_params", "summary", "get_weights", "call"],
)
def test_the_first_weights_are_those_of_build(use):
    model = fresh()
    use(model)
    expected = attribute_paths(built())
    assert list(attribute_paths(model)) == list(expected)
    for path, weight in attribute_paths(model).items():
        np.testing.assert_array_equal(numbers(weight), numbers(expected[path]), err_msg=path)


def test_weights_are_saved_and_loaded_without_build(tmp_path):
    saved = fresh(seed=2)
    saved.save_weights(tmp_path / "m.weights.h5")
    loaded = fresh()
    loaded.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(numbers(loaded(BATCH)), numbers(saved(BATCH)))
    other = fresh()
    other.set_weights(saved.get_weights())
    np.testing.assert_array_equal(numbers(other(BATCH)), numbers(saved(BATCH)))


def test_a_model_that_was_never_called_is_saved_whole(tmp_path):
    model = fresh()
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(numbers(loaded(BATCH)), numbers(model(BATCH)))


class Killed(Exception):
    """What ends a training."""


class KilledAfter(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.epochs:
            raise Killed


def trained(folder, *callbacks):
    model = fresh()
    model.compile(keras.optimizers.Adam(1e-2), loss=CrossEntropy())
    backup = [keras.callbacks.BackupAndRestore(folder)] if folder else []
    model.fit(BATCH, BATCH["targets"], epochs=3, verbose=0, shuffle=False, callbacks=[*backup, *callbacks])
    return model


@pytest.mark.skipif(ON_JAX, reason="compiles for long; test_passes.py restores a model on JAX")
def test_backup_and_restore_goes_on_as_if_nothing_had_happened(tmp_path):
    with pytest.raises(Killed):
        trained(str(tmp_path), KilledAfter(2))
    resumed, whole = trained(str(tmp_path)), trained(None)
    assert int(numbers(resumed.optimizer.iterations)) == 3
    for one, other in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
