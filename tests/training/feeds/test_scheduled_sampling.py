"""The model's own guesses in place of targets, with a model whose guesses are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import numbers
from keras import ops
from model_harness import text_batch

from kt2t.features import Image, Label, Text
from kt2t.losses import CrossEntropy
from kt2t.models import TransformerEncoder, TransformerLM
from kt2t.ops import randomness
from kt2t.training import ScheduledSampling, SymbolDropout


class Next:
    """Writes, almost surely, the id after the one that stands there; counts its calls."""

    features = {"targets": Text(50)}
    variables = metrics_variables = ()
    calls = 0

    def __call__(self, x, training):
        assert training is False
        self.calls += 1
        return 100.0 * ops.one_hot(x["targets"] + 1, 50)


IDS = np.tile(np.arange(2, 12, dtype="int32"), (60, 1))
SEGMENTS = np.ones_like(IDS)
SEGMENTS[:, 8:] = 0


def fed(step=4, model=None, **options):
    with randomness.root(3, step):
        found = ScheduledSampling(**options)(model or Next(), {"targets": IDS, "targets_segments": SEGMENTS})
    np.testing.assert_array_equal(found["targets_segments"], SEGMENTS)
    return numbers(found["targets"])


def test_a_share_of_the_targets_becomes_the_guess_of_the_same_place():
    found = fed(probability=0.3)
    moved = found[:, :8] - IDS[:, :8]
    assert set(np.unique(moved)) == {0, 1}
    assert moved.mean() == pytest.approx(0.3, abs=0.06)
    np.testing.assert_array_equal(found[:, 8:], IDS[:, 8:])  # padding


def test_passes_read_what_the_pass_before_has_written():
    model = Next()
    found = fed(probability=1.0, passes=3, model=model)
    assert model.calls == 3
    np.testing.assert_array_equal(found[:, :8], IDS[:, :8] + 3)
    assert set(np.unique(fed(probability=0.5, passes=2)[:, :8] - IDS[:, :8])) == {0, 1, 2}


def test_the_probability_follows_a_schedule():
    rising = keras.optimizers.schedules.PolynomialDecay(0.0, 10, 1.0)
    shares = [(fed(step=step, probability=rising)[:, :8] != IDS[:, :8]).mean() for step in (0, 5, 10)]
    assert shares == pytest.approx([0.0, 0.5, 1.0], abs=0.08)
    assert (shares[0], shares[2]) == (0, 1)


def test_it_is_a_function_of_the_step():
    one, again, other = (fed(step=step, probability=0.5) for step in (4, 4, 5))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match=r"probability: 1\.5 is not from 0 to 1"):
        ScheduledSampling(1.5)
    with pytest.raises(ValueError, match="passes: 0 is not positive"):
        ScheduledSampling(0.5, passes=0)
    with pytest.raises(ValueError, match="for models that write text"):
        ScheduledSampling(0.5).check({"inputs": Text(4), "targets": Label(3)})
    ScheduledSampling(0.5).check(Next.features)


class Counting(TransformerLM):
    """Has a metric, a state and a loss of its own, which tell how often it ran and what it read."""

    def __init__(self):
        super().__init__({"targets": Text(12)}, num_layers=1, hidden_dim=8, intermediate_dim=8, num_heads=1, dropout=0.0)
        self.ids = keras.metrics.Sum("ids")
        self.runs = self.add_weight(shape=(), initializer="zeros", trainable=False, name="runs")

    def call(self, features, training=None):
        self.ids.update_state(ops.cast(features["targets"], "float32"))
        self.runs.assign(self.runs + 1)
        self.add_loss(0.0 * self.runs + 1.0)
        return super().call(features, training=training)


def trained(**options):
    keras.utils.set_random_seed(2)
    model = Counting()
    model.build()
    model.compile(keras.optimizers.SGD(0.1), CrossEntropy(), **options)
    batch = {name: value for name, value in text_batch().items() if name.startswith("targets")}
    given = {"y": batch["targets"], "sample_weight": (batch["targets_segments"] > 0).astype("float32")}
    logs = {name: one[0] for name, one in model.fit(batch, **given, batch_size=8, verbose=0).history.items()}
    found = model.evaluate(batch, **given, batch_size=8, verbose=0, return_dict=True)
    return model, logs, found, batch


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_the_trainer_feeds_it_in_training_alone(micro_batches):
    """The pass before the step leaves no trace: neither in states, nor in metrics and losses of layers."""
    model, logs, found, batch = trained(feed=[ScheduledSampling(1.0)], micro_batches=micro_batches)
    plain, plain_logs, plain_found, _ = trained(micro_batches=micro_batches)
    assert float(model.runs) == float(plain.runs)
    assert logs["auxiliary_loss"] == plain_logs["auxiliary_loss"] == 1
    assert plain_logs["ids"] == plain_found["ids"] == found["ids"] == batch["targets"].sum()
    assert logs["ids"] != plain_logs["ids"]
    assert logs["loss"] != plain_logs["loss"] and logs["gradient_norm"] > 0


def test_what_a_model_cannot_take_is_refused_by_compile_and_what_it_takes_is_saved(tmp_path):
    model = TransformerLM({"targets": Text(12)}, num_layers=1, hidden_dim=8, intermediate_dim=8, num_heads=1)
    model.build()
    model.compile("sgd", CrossEntropy(), feed=[SymbolDropout(0.1), ScheduledSampling(0.25)])
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")._feed
    assert [type(one).__name__ for one in again] == ["SymbolDropout", "ScheduledSampling"]
    assert (again[0].rate, again[1].probability) == (0.1, 0.25)
    with pytest.raises(ValueError, match="the model reads no Text"):
        TransformerEncoder({"inputs": Image(2, 2, 1), "targets": Label(3)}, num_layers=1, hidden_dim=8).compile(
            "sgd", feed=[SymbolDropout(0.1)]
        )
